from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from regraft import plugins
from regraft.arena.compare import Arena
from regraft.errors import ConfigError, DataError, PluginError, RegraftError
from regraft.lm.options import NanoOptions
from regraft.plugins import camel
from regraft.setup.config import DEFAULT_CONTENDERS, ArenaConfig, ContenderOptions, plugin

WORLD: dict[str, Any] = {
    "drift_world": {"users": 60, "items": 30, "periods": 8},
    "label": 'event == "click"',
    "periods": {"n": 5, "warm_up": 0.3},
}


def refused(change: dict[str, Any], kind: type[RegraftError] = ConfigError) -> str:
    """The message under which a configuration with this change is turned down."""
    with pytest.raises(kind) as caught:
        ArenaConfig.parse({"data": WORLD, **change}, "arena.yaml")
    return str(caught.value)


def data(**change: Any) -> dict[str, Any]:
    return {"data": {**WORLD, **change}}


# -- what is right ----------------------------------------------------------------------------------


def test_the_data_alone_are_enough() -> None:
    config = ArenaConfig.parse({"data": WORLD})
    assert [c.label for c in config.contenders] == list(DEFAULT_CONTENDERS)
    assert (config.regime, config.seeds, config.eval_share) == ("fresh", (0,), 0.1)


@pytest.mark.parametrize("name", DEFAULT_CONTENDERS)
def test_every_default_contender_exists(name: str) -> None:
    assert plugin(ContenderOptions(use=name)) is not None


@pytest.mark.parametrize("kind", ["strategies", "baselines"])
def test_every_plug_in_can_be_a_contender_by_its_name_alone(kind: str) -> None:
    config = ArenaConfig.parse({"data": WORLD, "contenders": plugins.names(kind)})
    assert {c.kind for c in config.contenders} == {"strategy" if kind == "strategies" else "baseline"}


def test_a_contender_is_called_by_its_name_or_by_what_it_uses_and_its_calibration() -> None:
    options = [
        ContenderOptions(use="replay"),
        ContenderOptions(use="replay", calibration="stack"),
        ContenderOptions(use="replay", name="mine", calibration="stack"),
    ]
    assert [o.label for o in options] == ["replay", "replay+stack", "mine"]


def test_one_strategy_may_run_twice_under_two_names() -> None:
    twice = [{"use": "replay", "name": "a"}, {"use": "replay", "name": "b", "settings": {"share": 0.1}}]
    assert [c.label for c in ArenaConfig.parse({"data": WORLD, "contenders": twice}).contenders] == ["a", "b"]


def test_camel_makes_a_class_name() -> None:
    assert (camel("full-retrain-pair"), camel("my_own")) == ("FullRetrainPair", "MyOwn")


# -- files ------------------------------------------------------------------------------------------


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "arena.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "mine.jinja").write_text("x")
    text = "data:\n  path: log.csv\nbase:\n  path: base\ntemplate: mine.jinja\n"
    config = ArenaConfig.read(written(tmp_path, text))
    assert config.data.path == tmp_path / "log.csv"
    assert (config.base.path, config.template) == (str(tmp_path / "base"), str(tmp_path / "mine.jinja"))


def test_absolute_paths_hub_ids_and_library_names_stay_what_they_are(tmp_path: Path) -> None:
    text = "data:\n  path: /somewhere/log.csv\nbase:\n  path: org/model\ntemplate: judge-timeline\n"
    config = ArenaConfig.read(written(tmp_path, text))
    assert (config.data.path, config.base.path) == (Path("/somewhere/log.csv"), "org/model")
    assert config.template == "judge-timeline"


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        ArenaConfig.read(tmp_path / "nothing.yaml")
    assert str(caught.value) == (
        f"configuration '{tmp_path / 'nothing.yaml'}': cannot be read: No such file or directory\nExpected a YAML file"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data: [unclosed", "is not YAML: while parsing a flow sequence"),
        ("data:\n\tpath: x", "is not YAML: while scanning for the next token"),
        ("- one\n- two\n", "holds list\nExpected a mapping with at least `data:`"),
        ("", "holds NoneType\nExpected a mapping with at least `data:`"),
        ("just words", "holds str\nExpected a mapping with at least `data:`"),
    ],
)
def test_a_file_that_is_no_mapping_in_yaml_is_refused(text: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        ArenaConfig.read(written(tmp_path, text))
    assert str(caught.value).startswith(f"configuration '{tmp_path / 'arena.yaml'}': {found}")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "arena.yaml").write_bytes(b"data: \xff\xfe")
    with pytest.raises(ConfigError, match="is not YAML: 'utf-8' codec can't decode"):
        ArenaConfig.read(tmp_path / "arena.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("data: 5\n", "data: Input should be a valid dictionary or instance of DataOptions (found 5)"),
        ("data:\n  path: 5\n", "data.path: Input is not a valid path for <class 'pathlib.Path'> (found 5)"),
        ("name: x\n", "data: Field required"),
        ("1: 2\ndata:\n  path: x.csv\n", "1: Keys should be strings (found 1)"),
    ],
)
def test_a_problem_in_a_file_is_told_with_the_file(text: str, problem: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        ArenaConfig.read(path)
    assert str(caught.value) == f"{path}: {problem}\nExpected the fields shown by: regraft arena schema"


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    config = ArenaConfig.read(written(tmp_path, "data:\n  path: gone.csv\ncontenders: [rates]\n"))
    with pytest.raises(DataError) as caught:
        Arena(config, tmp_path / "run")
    assert str(caught.value) == f"{tmp_path / 'gone.csv'}: does not exist\nExpected a file or folder\nCheck the path."


# -- wrong names, types and ranges, field by field ---------------------------------------------------

FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"nmae": "x"}, "nmae: Extra inputs are not permitted (found 'x')"),
    ({"name": 3}, "name: Input should be a valid string (found 3)"),
    ({"regime": 3}, "regime: Input should be a valid string (found 3)"),
    ({"refresh": "hour"}, "refresh: Input should be 'event', 'day' or 'period' (found 'hour')"),
    ({"item_tokens": 0}, "item_tokens: Input should be greater than or equal to 1 (found 0)"),
    ({"eval_share": 0.5}, "eval_share: Input should be less than 0.5 (found 0.5)"),
    ({"eval_share": -0.1}, "eval_share: Input should be greater than or equal to 0 (found -0.1)"),
    ({"first_update": 0}, "first_update: Input should be greater than or equal to 1 (found 0)"),
    ({"last_update": "end"}, "last_update: Input should be a valid integer, unable to parse string as an integer (f"),
    ({"seeds": 3}, "seeds: Input should be a valid tuple (found 3)"),
    ({"seeds": [0, -1]}, "seeds.1: Input should be greater than or equal to 0 (found -1)"),
    ({"timeline": {"targets": 0}}, "timeline.targets: Input should be greater than or equal to 1 (found 0)"),
    ({"timeline": {"width": 3}}, "timeline.width: Extra inputs are not permitted (found 3)"),
    ({"adapter": {"rank": 0}}, "adapter.rank: Input should be greater than or equal to 1 (found 0)"),
    ({"adapter": {"rank": 8, "dropout": 0.1}}, "adapter.dropout: Extra inputs are not permitted (found 0.1)"),
    ({"fit": {"lr": 0}}, "fit.lr: Input should be greater than 0 (found 0)"),
    ({"fit": {"epochs": "two"}}, "fit.epochs: Input should be a valid integer, unable to parse string as an integer"),
    ({"fit": {"heavy_users": "log"}}, "fit.heavy_users: Input should be 'sqrt' or 'full' (found 'log')"),
    ({"base": {"dtype": "fp8"}}, "base.dtype: Input should be 'fp32', 'bf16' or 'auto' (found 'fp8')"),
    ({"base": {"model": "x"}}, "base.model: Extra inputs are not permitted (found 'x')"),
    ({"base": {"nano": 4}}, "base.nano: Input should be a valid dictionary (found 4)"),
    ({"contenders": "rates"}, "contenders: Input should be a valid tuple (found 'rates')"),
    ({"contenders": [{"name": "x"}]}, "contenders.0.use: Field required"),
    ({"contenders": ["rates", None]}, "contenders.1: Input should be a valid dictionary or instance of ContenderOpt"),
    ({"contenders": [{"use": "rates", "weight": 1}]}, "contenders.0.weight: Extra inputs are not permitted (found 1)"),
    (
        {"contenders": [{"use": "never", "calibration": "beta"}]},
        "contenders.0.calibration: Input should be 'none', 'logistic' or 'stack' (found 'beta')",
    ),
    ({"contenders": [{"use": "rates", "name": "../x"}]}, "contenders.0.name: String should match pattern"),
    ({"contenders": [{"use": "rates", "name": "a/b"}]}, "contenders.0.name: String should match pattern"),
    (data(share=0), "data.share: Input should be greater than 0 (found 0)"),
    (data(preset="lsat"), "data.preset: Input should be 'lsat-ml-1m' (found 'lsat')"),
    (data(information="all"), "data.information: Input should be 'window' or 'full' (found 'all')"),
    (data(negatives=0), "data.negatives: Input should be greater than or equal to 1 (found 0)"),
    (data(lable="x"), "data.lable: Extra inputs are not permitted (found 'x')"),
    (data(limits={"duplicate": "few"}), "data.limits.duplicate: Input should be a valid number, unable to parse str"),
    (data(periods={"n": 1}), "data.periods.n: Input should be greater than or equal to 2 (found 1)"),
    (data(periods={"by": "moon"}), "data.periods.by: Input should be 'time', 'count' or 'calendar' (found 'moon')"),
    (data(periods={"warm_up": 1.0}), "data.periods.warm_up: Input should be less than 1 (found 1.0)"),
    (data(periods={"start": "soon"}), "data.periods.start: Input should be a valid datetime or date"),
]


def short(value: Any) -> str | None:
    return value[:40] if isinstance(value, str) else None


@pytest.mark.parametrize(("change", "problem"), FIELDS, ids=short)
def test_a_wrong_field_is_told_with_its_place_what_was_found_and_where_to_look(
    change: dict[str, Any], problem: str
) -> None:
    message = refused(change)
    assert message.startswith(f"arena.yaml: {problem}")
    assert message.endswith("\nExpected the fields shown by: regraft arena schema")


def test_several_problems_are_told_at_once() -> None:
    assert refused({"item_tokens": 0, "eval_share": 2}) == (
        "arena.yaml: \n  item_tokens: Input should be greater than or equal to 1 (found 0)"
        "\n  eval_share: Input should be less than 0.5 (found 2)\nExpected the fields shown by: regraft arena schema"
    )


SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"regime": "stale"},
        "regime 'stale': is not a known information regime\n"
        "Expected one of fresh, frozen, paper, delayed, or delayed with a time such as 'delayed 6h'",
    ),
    ({"regime": "frozen 6h"}, "regime 'frozen 6h': is not a known information regime"),
    ({"regime": "delayed soon"}, "duration 'soon': cannot be read\nExpected a number and a unit, e.g. 90s, 15m, 24h"),
    ({"seeds": []}, "seeds: found []\nExpected one or more different whole numbers"),
    ({"seeds": [1, 1]}, "seeds: found [1, 1]\nExpected one or more different whole numbers"),
    ({"contenders": []}, "contenders: none is given\nExpected at least one strategy or baseline"),
    (
        {"contenders": ["rates", "never", "rates"]},
        "contenders: the name rates occurs twice\nExpected a `name:` for each",
    ),
    (
        {"contenders": ["oracle"]},
        "contender 'oracle': is neither a strategy nor a baseline\nExpected one of analytic, fine-tune, full-retrain, ",
    ),
    (
        {"contenders": [{"use": "rates", "calibration": "stack"}]},
        "contender 'rates+stack': has calibration stack\nExpected none, as for every baseline",
    ),
    (
        {"contenders": [{"use": "replay", "settings": {"share": -1}}]},
        "contender 'replay': share: Input should be greater than or equal to 0 (found -1)\nExpected the fields shown",
    ),
    (
        {"contenders": [{"use": "replay", "name": "mine", "settings": {"shear": 1}}]},
        "contender 'mine': shear: Extra inputs are not permitted (found 1)\nExpected the fields shown by",
    ),
    (
        {"contenders": [{"use": "popularity", "settings": {"half_life": -3}}]},
        "contender 'popularity': half_life: Input should be greater than 0 (found -3)\nExpected the fields shown by",
    ),
    (
        {"contenders": [{"use": "boosting", "settings": {"depth": 3}}]},
        "contender 'boosting': depth: Unexpected keyword argument (found 3)\nExpected the fields shown by",
    ),
    (
        {"contenders": [{"use": "rates", "settings": {"depth": 3}}]},
        "contender 'rates': got an unexpected keyword argument 'depth'\nExpected settings",
    ),
    (
        data(path="log.csv"),
        "data: needs exactly one of path and drift_world\nExpected e.g. path: ml-1m.zip",
    ),
    ({"data": {}}, "data: needs exactly one of path and drift_world\nExpected e.g. path: ml-1m.zip"),
    (data(label="stars > 3"), "label rule 'stars > 3': cannot be read\nExpected e.g. rating > 3"),
    (data(periods={"gap": "a day"}), "duration 'a day': cannot be read\nExpected a number and a unit"),
]


@pytest.mark.parametrize(("change", "message"), SENTENCES, ids=short)
def test_a_value_that_makes_no_sense_is_told_in_a_sentence(change: dict[str, Any], message: str) -> None:
    assert refused(change).startswith(message)


# -- what is found wrong when the run is opened -------------------------------------------------------


def opened(change: dict[str, Any], tmp_path: Path) -> str:
    with pytest.raises(RegraftError) as caught:
        Arena(ArenaConfig.parse({"data": WORLD, "contenders": ["rates"], **change}), tmp_path / "run")
    return str(caught.value)


def test_an_unknown_template_is_told_with_those_that_exist(tmp_path: Path) -> None:
    assert opened({"template": "haiku"}, tmp_path).startswith(
        "template 'haiku': is not in the library and not a file\nExpected one of judge-"
    )


@pytest.mark.parametrize(
    ("first", "last"), [(5, None), (3, 2), (1, 5)], ids=["after the end", "out of order", "without a test period"]
)
def test_updates_must_leave_a_period_to_be_tested_on(first: int, last: int | None, tmp_path: Path) -> None:
    message = opened({"first_update": first, "last_update": last}, tmp_path)
    assert message == f"first_update and last_update: {first} to {last or 4} of 5 periods\nExpected 1 to 4, in order"


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ({"users": 0}, "drift world: users: found 0\nExpected a whole number, 1 or more"),
        ({"people": 5}, "drift world: has no setting people\nExpected some of users, items, periods, "),
        ({"users": "many"}, "drift world: users: found 'many'\nExpected a whole number, 1 or more"),
    ],
)
def test_a_world_that_cannot_be_is_refused(world: dict[str, Any], message: str) -> None:
    assert refused(data(drift_world=world)).startswith(message)


def test_a_label_rule_that_nothing_meets_is_refused(tmp_path: Path) -> None:
    assert opened(data(label='event == "purchase"'), tmp_path).startswith(
        "label rule 'event == \"purchase\"': gives every one of 2,552 rows the same label"
    )


def test_wrong_settings_of_the_base_that_is_built_are_told_with_their_place() -> None:
    assert refused({"base": {"nano": {"layers": 0, "depth": 3}}}) == (
        "base.nano: \n  layers: Input should be greater than or equal to 1 (found 0)\n"
        "  depth: Extra inputs are not permitted (found 3)\nExpected the fields shown by: regraft arena schema"
    )


@pytest.mark.parametrize("width", [30, 20])
def test_heads_of_a_base_must_share_its_width_evenly(width: int) -> None:
    assert refused({"base": {"nano": {"width": width, "heads": 4}}}) == (
        f"base.nano.width: found {width} with 4 heads\nExpected a multiple of 8: every head gets an even share"
    )


def test_settings_of_the_base_stay_as_written_so_that_a_begun_run_goes_on() -> None:
    config = ArenaConfig.parse({"data": WORLD, "base": {"nano": {"epochs": 1}}})
    assert json.loads(config.model_dump_json())["base"]["nano"] == {"epochs": 1}


def test_the_settings_that_name_a_base_folder_keep_their_names_order_and_defaults() -> None:
    """A folder's name is a hash over them: with another text, every base that was built would be built again."""
    assert json.dumps(NanoOptions().model_dump()) == (
        '{"objective": "labels", "layers": 4, "width": 128, "heads": 4, "vocabulary": 6000, "positions": 2048, '
        '"epochs": 3, "lr": 0.002, "targets_per_step": 512, "seed": 0}'
    )


def test_the_schema_names_the_settings_of_the_base() -> None:
    assert set(NanoOptions.model_fields) == set(
        ArenaConfig.model_json_schema()["$defs"]["BaseOptions"]["properties"]["nano"]["properties"]
    )


def test_a_plug_in_without_the_class_of_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import regraft.baselines.rates as module

    monkeypatch.delattr(module, "Rates")
    with pytest.raises(PluginError) as caught:
        plugin(ContenderOptions(use="rates"))
    assert str(caught.value) == (
        "baselines plug-in 'rates': module regraft.baselines.rates has no such class\nExpected a class Rates"
    )
