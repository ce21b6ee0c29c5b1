"""Pseudonyms: a person's id is known to the vault only as a keyed hash; data carry a random uid.

The key lies in a file outside the site, named by the environment: without it nobody can tell whose rows are whose,
and not even guess. Pseudonymised data stay personal data.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from regraft.errors import ConfigError
from regraft.files import durable
from regraft.output_paths import inside
from regraft.said import Said

VARIABLE = "REGRAFT_KEY_FILE"
DEFAULT = Path("~/.config/regraft/vault.key")
BYTES = 32


@dataclass(frozen=True)
class Key:
    """The secret behind pseudonyms; `id` names it without telling it."""

    secret: bytes

    @property
    def id(self) -> str:
        return hashlib.sha256(b"regraft key id" + self.secret).hexdigest()[:16]

    def pseudonyms(self, ids: Iterable[str]) -> list[str]:
        """64 hexadecimal digits per id: HMAC-SHA256."""
        return [hmac.digest(self.secret, one.encode(), "sha256").hex() for one in ids]


def key_file() -> Path:
    """Where the key lies: what the environment names, else a file in the user's configuration folder."""
    return Path(os.environ.get(VARIABLE) or DEFAULT).expanduser()


def load_key(site: Path, make: bool = False) -> Key:
    """The key of a site; with `make`, a new one where there is none yet.

    Raises ConfigError where it is missing, is no key, or lies inside the site, where every backup would carry it.
    """
    path = key_file()
    where = Said("key file '{path}'", path=path)
    if inside(path, site):
        raise ConfigError(
            where, "lies inside the site '{site}'", "a file outside it", "Set {variable} to another",
            site=site, variable=VARIABLE,
        )  # fmt: skip
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(BYTES) + "\n")
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except OSError as error:
        raise ConfigError(
            where, "cannot be read: {reason}", "the key the site was made with",
            "Set {variable} to the file that holds it", reason=error.strerror, variable=VARIABLE,
        ) from error  # fmt: skip
    except ValueError as error:
        raise ConfigError(where, "is no key", "{digits} hexadecimal digits", digits=2 * BYTES) from error
    if len(secret) != BYTES:
        raise ConfigError(
            where, "holds {bytes} bytes", "{digits} hexadecimal digits", bytes=len(secret), digits=2 * BYTES
        )
    return Key(secret)


def new_uid() -> str:
    """A random uid: 32 hexadecimal digits."""
    return secrets.token_hex(16)
