import stat

import pytest

from regraft.data.pseudonyms import VARIABLE, key_file, load_key, new_uid
from regraft.errors import ConfigError


@pytest.fixture(autouse=True)
def _key(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "keys" / "vault.key"))


def test_a_key_is_made_once_for_the_owner_alone(tmp_path):
    key = load_key(tmp_path / "site", make=True)
    assert load_key(tmp_path / "site") == load_key(tmp_path / "site", make=True) == key
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600


def test_a_pseudonym_needs_the_key(tmp_path, monkeypatch):
    one = load_key(tmp_path / "site", make=True)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other.key"))
    other = load_key(tmp_path / "site", make=True)
    assert one.pseudonyms(["u1", "u2", "u1"])[0] == one.pseudonyms(["u1"])[0]
    assert len({*one.pseudonyms(["u1", "u2"]), *other.pseudonyms(["u1", "u2"])}) == 4
    assert one.id != other.id


def test_a_key_inside_the_site_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "site" / "vault.key"))
    with pytest.raises(ConfigError, match="inside the site"):
        load_key(tmp_path / "site", make=True)


@pytest.mark.parametrize("content", ["", "zz" * 32, "ab" * 5])
def test_what_is_no_key_is_refused(tmp_path, content):
    key_file().parent.mkdir()
    key_file().write_text(content)
    with pytest.raises(ConfigError, match="hexadecimal"):
        load_key(tmp_path / "site")


def test_a_missing_key_is_named_with_its_variable(tmp_path):
    with pytest.raises(ConfigError, match=VARIABLE):
        load_key(tmp_path / "site")


def test_uids_are_random():
    assert len({new_uid() for _ in range(1000)}) == 1000
