from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from regraft import plugins
from regraft.errors import MissingExtraError, PluginError
from regraft.plugins import Plugin


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that offer strategies by entry points: every file by its own name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def points(group: str) -> list[EntryPoint]:
        names = sorted({*(p.stem for p in tmp_path.glob("*.py")), *(p.name for p in tmp_path.glob("*.gone"))})
        found = [EntryPoint(n.split(".")[0].replace("_", "-"), n.split(".")[0], group) for n in names]
        return found if group == "regraft.strategies" else []

    monkeypatch.setattr(plugins, "entry_points", points)
    return tmp_path


def listed(name: str) -> Plugin:
    (found,) = [plugin for plugin in plugins.plugins("strategies") if plugin.name == name]
    return found


# -- built-in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(plugins.KINDS))
def test_every_built_in_plug_in_has_a_summary_and_loads(kind: str) -> None:
    for plugin in plugins.plugins(kind):
        assert plugin.problem == ""
        assert plugin.summary
        assert plugins.load(kind, plugin.name).__name__ == plugin.module


@pytest.mark.parametrize("kind", sorted(plugins.KINDS))
def test_the_file_name_is_the_name_and_the_list_is_sorted(kind: str) -> None:
    found = plugins.plugins(kind)
    assert [p.module.rsplit(".", 1)[1].replace("_", "-") for p in found] == [p.name for p in found]
    assert plugins.names(kind) == sorted(p.name for p in found)


def test_the_furniture_of_a_room_is_no_plug_in() -> None:
    assert not {"protocol", "contender", "close-period"} & set(plugins.names("strategies"))
    assert "features" not in plugins.names("baselines")
    assert "lines" not in plugins.names("readers")


def test_the_summary_is_the_first_line_of_the_modules_docstring() -> None:
    assert listed("never").summary == (
        "No update: fitted once on all that is there at the first close (or not at all), then left alone."
    )


def test_an_unknown_name_is_told_with_those_that_exist() -> None:
    with pytest.raises(PluginError) as caught:
        plugins.load("baselines", "oracle")
    assert str(caught.value) == (
        "baselines: 'oracle': there is no such plug-in\n"
        "Expected one of: boosting, content, item-knn, popularity, rates, stack\n"
        "List them with: regraft plugins baselines"
    )


def test_an_unknown_kind_is_told_with_those_that_exist() -> None:
    with pytest.raises(PluginError) as caught:
        plugins.names("selectors")
    assert str(caught.value) == (
        "plug-ins of kind 'selectors': do not exist\n"
        "Expected one of: readers, strategies, baselines, checks, candidates, similarities"
    )


# -- third parties ---------------------------------------------------------------------------------------


def test_a_third_partys_file_is_listed_after_the_built_in_ones_and_loaded_on_use(third_party: Path) -> None:
    (third_party / "my_rule.py").write_text('"""Mine alone.\n\nMore words."""\nloaded = True\n')
    assert plugins.names("strategies")[-1] == "my-rule"
    assert listed("my-rule") == Plugin("strategies", "my-rule", "Mine alone.", "my_rule")
    assert "my_rule" not in sys.modules
    assert plugins.load("strategies", "my-rule").loaded is True


def test_listing_runs_nothing(third_party: Path) -> None:
    (third_party / "explodes.py").write_text('"""Not when listed."""\nraise RuntimeError("boom")\n')
    assert listed("explodes") == Plugin("strategies", "explodes", "Not when listed.", "explodes")


def test_a_module_that_fails_to_import_is_told_when_it_is_used(third_party: Path) -> None:
    (third_party / "explodes.py").write_text('raise RuntimeError("boom")\n')
    with pytest.raises(PluginError) as caught:
        plugins.load("strategies", "explodes")
    assert str(caught.value) == (
        "strategies plug-in 'explodes' (explodes): cannot be loaded: RuntimeError: boom\n"
        "Expected a module that imports\n"
        "See what is installed with: regraft doctor"
    )


def test_a_file_that_is_not_python_is_listed_with_its_reason(third_party: Path) -> None:
    (third_party / "broken.py").write_text("def (:\n")
    assert listed("broken").problem.startswith("SyntaxError: invalid syntax")


def test_bytes_that_are_no_text_are_listed_with_their_reason(third_party: Path) -> None:
    (third_party / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert listed("binary").problem.startswith("UnicodeDecodeError")


def test_a_module_that_is_not_there_is_listed_with_its_reason(third_party: Path) -> None:
    (third_party / "nowhere.gone").touch()
    assert listed("nowhere").problem == "module 'nowhere' was not found"


def test_a_package_that_is_not_there_is_listed_with_its_reason(
    third_party: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("lost", "no_such_package.rule", "regraft.strategies")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    assert listed("lost").problem == "ModuleNotFoundError: No module named 'no_such_package'"


def test_a_name_of_a_built_in_plug_in_cannot_be_taken(third_party: Path) -> None:
    (third_party / "never.py").write_text('"""An impostor."""\n')
    own, impostor = [plugin for plugin in plugins.plugins("strategies") if plugin.name == "never"]
    assert (own.problem, impostor.problem) == ("", "the name belongs to a built-in plug-in")
    assert plugins.load("strategies", "never").__name__ == "regraft.strategies.never"


def test_a_package_of_an_extra_that_is_missing_is_told_with_its_extra(
    third_party: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    (third_party / "tuner.py").write_text('"""Needs peft."""\nimport peft\n')
    with pytest.raises(MissingExtraError) as caught:
        plugins.load("strategies", "tuner")
    assert str(caught.value) == (
        "strategies plug-in 'tuner': needs the package 'peft', which is not installed\n"
        "Expected the extra 'lm'\n"
        'Install it with: pip install -c constraints.txt ".[lm]"'
    )


def test_any_other_missing_package_is_a_broken_plug_in(third_party: Path) -> None:
    (third_party / "needy.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(PluginError, match="cannot be loaded: ModuleNotFoundError: No module named 'no_such_package_at"):
        plugins.load("strategies", "needy")
