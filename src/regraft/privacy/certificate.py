"""The proof of an erasure: what was removed and made again, in canonical JSON, signed with a key outside the site.

Ed25519: whoever has the public key can check it, nobody without the private one can write it. The person is named by
a salted commitment alone; the salt is told once, to be given to the person.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from regraft.data.pseudonyms import key_file
from regraft.errors import ConfigError, DataError
from regraft.files import durable
from regraft.output_paths import inside
from regraft.said import Said
from regraft.state.ledger import canonical

VARIABLE = "REGRAFT_SIGNING_KEY_FILE"


def signing_file() -> Path:
    """Where the private key lies: what the environment names, else beside the key of the id vault."""
    given = os.environ.get(VARIABLE)
    return Path(given).expanduser() if given else key_file().with_name("signing.key")


def signing_key(site: Path) -> Ed25519PrivateKey:
    """The private key, made where there is none yet; ConfigError where it lies inside the site or is no key."""
    path = signing_file()
    where = Said("signing key '{path}'", path=path)
    if inside(path, site):
        raise ConfigError(
            where, "lies inside the site '{site}'", "a file outside it", "Set {variable} to another",
            site=site, variable=VARIABLE,
        )  # fmt: skip
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with durable(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32) + "\n")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError) as error:
        raise ConfigError(
            where, "cannot be used: {reason}", "64 hexadecimal digits, or a folder in which it can be made",
            "Set {variable} to another file", reason=error, variable=VARIABLE,
        ) from error  # fmt: skip


def sign(key: Ed25519PrivateKey, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its signature and the public key."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(canonical(content).encode())
    return {
        "content": dict(content), "signature": base64.b64encode(signature).decode(),
        "public_key": base64.b64encode(public).decode(),
    }  # fmt: skip


def check(path: Path, public_key: str | None = None) -> dict[str, Any]:
    """What a certificate says; DataError where it was changed, or signed with another key than `public_key`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        public = public_key or found["public_key"]
        signed = canonical(found["content"]).encode()
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(
            base64.b64decode(found["signature"]), signed
        )
        content: dict[str, Any] = found["content"]
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "certificate '{path}'", "cannot be read: {reason}", "a file that regraft forget wrote",
            path=path, reason=error,
        ) from error  # fmt: skip
    except InvalidSignature as error:
        raise DataError(
            "certificate '{path}'", "does not bear its signature", "the bytes that were signed", path=path
        ) from error
