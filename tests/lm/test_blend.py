"""Blends: values that are hashed, saved as one directory and refused when damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.anchored import CELLS, Anchored
from regraft.lm.blend import Blend, Calibration, average_probability


def adapter(seed: int) -> Adapter:
    rng = np.random.default_rng(seed)
    drawn = {f"m.lora_{k}": rng.normal(size=s).astype(np.float32) for k, s in (("A", (2, 3)), ("B", (3, 2)))}
    return Adapter(AdapterShape(2, 4.0, ("m",)), drawn, {"seed": seed})


def rich(**changed: object) -> Blend:
    values: dict[str, object] = {
        "parts": ((adapter(1), 0.3), (None, 0.7)),
        "calibration": Calibration(-0.1, (1.2, 0.5), ("recent",)),
        "state": {"heard.rows": np.arange(5), "share": np.array(0.25)},
        "kept": {"long": adapter(2)},
        "notes": ("kept the old one",),
    }
    return Blend(**{**values, **changed})  # type: ignore[arg-type]


# -- averaging -----------------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.lists(st.floats(-20, 20), min_size=3, max_size=3)), min_size=1, max_size=4)
    .filter(lambda parts: sum(w for w, _ in parts) > 0.01)
)  # fmt: skip
def test_the_average_is_that_of_probabilities(parts: list[tuple[float, list[float]]]):
    weights = np.array([w for w, _ in parts]) / sum(w for w, _ in parts)
    log_odds = np.array([scores for _, scores in parts])
    mean = (weights[:, None] * sigmoid(log_odds)).sum(0)
    naive = np.log(mean) - np.log((weights[:, None] * sigmoid(-log_odds)).sum(0))
    np.testing.assert_allclose(average_probability(log_odds, weights), naive, atol=1e-6)


def test_a_weight_of_one_is_that_part_alone_even_where_probabilities_round_to_one():
    log_odds = np.array([[1.0, -700.0, 40.0], [2.0, 800.0, -900.0]])
    np.testing.assert_array_equal(average_probability(log_odds, np.array([1.0, 0.0])), log_odds[0])
    np.testing.assert_array_equal(average_probability(log_odds, np.array([0.0, 1.0])), log_odds[1])


def test_half_and_half_of_opposite_scores_is_undecided():
    assert average_probability(np.array([[3.0], [-3.0]]), np.array([0.5, 0.5])).tolist() == [0.0]


# -- calibration ---------------------------------------------------------------------------------------


def test_a_calibration_is_a_bias_and_a_weighted_sum():
    scores, features = np.array([1.0, -2.0]), np.array([[10.0], [20.0]])
    assert Calibration(0.5, (2.0,)).apply(scores).tolist() == [2.5, -3.5]
    assert Calibration(0.5, (2.0, 0.1), ("recent",)).apply(scores, features).tolist() == [3.5, -1.5]


# -- values --------------------------------------------------------------------------------------------


def test_the_only_part_of_a_blend_of_one():
    one = adapter(1)
    assert Blend.of(one).single() is one
    assert Blend.of(None).single() is None
    with pytest.raises(ModelError) as error:
        rich().single()
    assert str(error.value) == "blend: has 2 parts\nExpected a blend of one adapter"


def test_size_and_passes_count_what_is_served():
    assert (rich().bytes, rich().passes) == (adapter(1).bytes, 2)


def test_state_is_added_without_changing_the_blend():
    before = Blend.of(None)
    after = before.with_state(seen=np.ones(2))
    assert (dict(before.state), list(after.state)) == ({}, ["seen"])


@pytest.mark.parametrize(
    "changed",
    [
        {"parts": ((adapter(1), 0.31), (None, 0.69))},
        {"parts": ((None, 0.7), (adapter(1), 0.3))},
        {"parts": ((adapter(3), 0.3), (None, 0.7))},
        {"mode": "merge"},
        {"calibration": None},
        {"calibration": Calibration(-0.1, (1.2, 0.6), ("recent",))},
        {"calibration": Anchored(-0.1, 1.2)},
        {"state": {"heard.rows": np.arange(5), "share": np.array(0.5)}},
        {"kept": {"long": adapter(3)}},
        {"kept": {"short": adapter(2)}},
    ],
)
def test_the_hash_changes_with_everything_that_scores_or_is_remembered(changed: dict[str, object]):
    assert rich(**changed).hash != rich().hash


# -- files ---------------------------------------------------------------------------------------------


def test_save_and_load_give_back_the_blend(tmp_path: Path):
    blend = rich()
    blend.save(tmp_path / "b", "some/base")
    again = Blend.load(tmp_path / "b")
    assert again.hash == blend.hash
    assert [(a.hash if a else None, w) for a, w in again.parts] == [(adapter(1).hash, 0.3), (None, 0.7)]
    assert (again.mode, again.calibration, again.notes) == (blend.mode, blend.calibration, blend.notes)
    assert {n: (v.tolist(), v.shape, v.dtype) for n, v in again.state.items()} == {
        n: (v.tolist(), v.shape, v.dtype) for n, v in blend.state.items()
    }
    assert again.kept["long"].lineage == {"seed": 2}
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_numbers_of_numpy_survive_the_way_to_disk(tmp_path: Path):
    share = np.linspace(0, 1, 8)[3]
    blend = Blend(((adapter(1), share), (None, 1 - share)), calibration=Calibration(np.float32(0.1), (np.float64(2),)))
    blend.save(tmp_path / "b")
    assert Blend.load(tmp_path / "b").hash == blend.hash


def test_an_anchored_calibration_comes_back_to_the_bit(tmp_path: Path):
    anchored = Anchored(0.1, 1 / 3, tuple(map(float, np.random.default_rng(0).normal(size=CELLS))))
    blend = rich(calibration=anchored)
    assert blend.hash != rich(calibration=replace(anchored, item_edges=(1, 10, 51))).hash
    blend.save(tmp_path / "b")
    again = Blend.load(tmp_path / "b")
    assert (again.calibration, again.hash) == (anchored, blend.hash)


def test_an_adapter_used_twice_is_stored_once(tmp_path: Path):
    Blend(((adapter(1), 1.0),), kept={"meta": adapter(1)}).save(tmp_path / "b")
    assert len(list((tmp_path / "b" / "adapters").iterdir())) == 1
    blend = Blend.load(tmp_path / "b")
    assert blend.single() is blend.kept["meta"]


def test_a_new_blend_takes_the_place_of_the_old_one(tmp_path: Path):
    rich().save(tmp_path / "b")
    Blend.of(None).save(tmp_path / "b")
    assert Blend.load(tmp_path / "b").hash == Blend.of(None).hash
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["blend.json"]


def edit(name: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        saved = json.loads((folder / "blend.json").read_text())
        (folder / "blend.json").write_text(json.dumps({**saved, name: value}))

    return change


def drop(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        saved = json.loads((folder / "blend.json").read_text())
        (folder / "blend.json").write_text(json.dumps({k: v for k, v in saved.items() if k != name}))

    return change


def spoil(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


DAMAGE = {
    "another weight": edit("parts", [[adapter(1).hash, 0.4], [None, 0.6]]),
    "another mode": edit("mode", "merge"),
    "another calibration": edit("calibration", None),
    "parts of another kind": edit("parts", 3),
    "no hash": drop("hash"),
    "no parts": drop("parts"),
    "no blend.json": lambda folder: (folder / "blend.json").unlink(),
    "half a blend.json": spoil("blend.json", b'{"parts": ['),
    "a list": spoil("blend.json", b"[]"),
    "bytes that are no text": spoil("blend.json", b"\xff\xfe\x00"),
    "no state": lambda folder: (folder / "state.safetensors").unlink(),
    "half a state": spoil("state.safetensors", b"\x10\x00"),
    "no adapter": lambda folder: (folder / "adapters" / adapter(2).hash / "manifest.json").unlink(),
    "a spoilt adapter": lambda folder: spoil("adapter_model.safetensors", b"0" * 99)(
        folder / "adapters" / adapter(1).hash
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_blend_is_refused(tmp_path: Path, what: str):
    rich().save(tmp_path / "b")
    DAMAGE[what](tmp_path / "b")
    with pytest.raises(ModelError, match=r"^(blend|adapter) '"):
        Blend.load(tmp_path / "b")


def test_a_changed_blend_is_refused_with_both_hashes(tmp_path: Path):
    rich().save(tmp_path / "b")
    edit("mode", "merge")(tmp_path / "b")
    with pytest.raises(ModelError) as error:
        Blend.load(tmp_path / "b")
    assert str(error.value) == (
        f"blend '{tmp_path / 'b'}': has the hash {rich(mode='merge').hash}\n"
        f"Expected {rich().hash}, the one that was saved"
    )


def test_texts_that_a_fitted_model_carries_come_back_as_they_were(tmp_path):
    texts = np.array(["brand=ünïque", "", "two words", "語"])
    blend = Blend.of(None, fitted={"stack.terms": texts, "stack.none": np.array([], dtype="U1"), "stack.w": np.ones(2)})
    blend.save(tmp_path / "b")
    again = Blend.load(tmp_path / "b")
    assert again.hash == blend.hash
    assert again.fitted["stack.terms"].tolist() == texts.tolist()
    assert again.fitted["stack.none"].tolist() == []
