import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from arena.small_runs import LABEL, SMALL_BASE
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE
from regraft.errors import ConfigError, DataError
from regraft.release.init import init
from regraft.setup.site import Site
from regraft.setup.site_options import FILE, SCHEMA, SiteOptions
from site_world import SiteWorld


def test_what_init_writes_is_valid_by_the_schema_that_it_lays_beside_it(world: SiteWorld) -> None:
    folder = world.folder / "shop"
    written, schema = (folder / FILE).read_text(), json.loads((folder / SCHEMA).read_text())
    assert written.startswith(f"# yaml-language-server: $schema={SCHEMA}\n")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(yaml.safe_load(written))
    assert schema == json.loads(json.dumps(SiteOptions.model_json_schema()))
    assert list(Draft202012Validator(schema).iter_errors({"champion": {"use": "stack"}, "chalenger": []}))


def test_a_setting_that_does_not_exist_is_named_with_the_command_that_lists_them(world: SiteWorld) -> None:
    path = world.folder / "shop" / FILE
    path.write_text(path.read_text() + "chalengers: []\n")
    with pytest.raises(ConfigError, match=r"(?s)chalengers.*regraft schema$"):
        Site.open(path.parent)


def test_a_log_too_short_for_a_base_names_the_setting_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "vault.key"))
    simulated = simulate(DriftWorld(users=60, items=30, periods=8, seed=1, taste_change_at=None))
    log = SiteWorld(tmp_path, simulated.interactions, simulated.items).write("log", simulated.interactions)
    data = {"label": LABEL, "warm_up": 0}
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / FILE).write_text(
        yaml.safe_dump({"name": "shop", "data": data, "challengers": [{"use": "fine-tune"}], **SMALL_BASE})
    )
    with pytest.raises(DataError) as error:
        init(tmp_path / "shop", log)
    assert str(error.value) == (
        "base build: the stream has 0 warm-up rows\nExpected a log with warm-up rows to learn from (at least 50)\n"
        "Set data.warm_up in regraft.yaml higher (for example 0.5), or begin with a log of more people or days"
    )
