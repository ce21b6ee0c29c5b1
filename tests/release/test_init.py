import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from regraft.errors import ConfigError
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
