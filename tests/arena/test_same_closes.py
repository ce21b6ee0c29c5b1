"""What the arena measured is what a daily update makes: the same close, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arena.small_runs import SMALL_BASE, config, run
from regraft.arena.compare import CONTENDER, Arena, Cell
from regraft.lm.anchored import Anchored
from regraft.lm.blend import Blend
from regraft.strategies.close_period import close_period
from regraft.strategies.replay import Replay

pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    replay = {"use": "replay", "settings": {"buffer": 200}, "calibration": "stack"}
    return run(tmp_path_factory.mktemp("arena") / "run", config([replay], last_update=3, eval_share=0.1, **SMALL_BASE))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_blends_of_the_arena_are_those_of_direct_closes_byte_for_byte(arena: Arena, tmp_path: Path) -> None:
    from regraft.lm.lab import ModelLab
    from regraft.lm.workshop import Workshop

    shop = arena.factory.workshop
    # A bench of its own, where nothing is kept: all is worked out again.
    own = Workshop(shop.base, shop.encoder, shop.adapter, shop.fit, tmp_path / "kept", cache=shop.cache)
    blend: Blend | None = None
    for update in arena.updates:
        lab = ModelLab(own, 0)
        lab.rng.uniform(size=update)  # what the lab drew before plays no part
        blend = close_period(Replay(buffer=200), blend, arena.past(update), lab, "stack").blend
        blend.save(tmp_path / str(update), own.base.path)
        saved = Cell(arena.config.contenders[0], 0, update).folder(arena.folder) / CONTENDER / "blend"
        assert Blend.load(saved).hash == blend.hash
        mine, theirs = files(tmp_path / str(update)), files(saved)
        assert mine.keys() == theirs.keys()
        assert [name for name in mine if mine[name] != theirs[name]] == []
        # Kept, so that the next close calibrates on what was said then: other batches would round otherwise.
        lab.score(blend, arena.stream.cases(update + 1))


def test_without_a_calibration_no_served_score_is_needed(arena: Arena) -> None:
    from regraft.lm.lab import ModelLab
    from regraft.lm.workshop import Workshop

    shop, blend = arena.factory.workshop, None
    for update in arena.updates:
        own = Workshop(shop.base, shop.encoder, shop.adapter, shop.fit)
        blend = close_period(Replay(buffer=200), blend, arena.past(update), ModelLab(own, 0)).blend
        saved = Blend.load(Cell(arena.config.contenders[0], 0, update).folder(arena.folder) / CONTENDER / "blend")
        (mine, _), (theirs, _) = blend.parts[0], saved.parts[0]
        assert mine is not None and theirs is not None
        assert mine.hash == theirs.hash
        for name in ("reservoir.rows", "reservoir.keys", "closed.rows", "until"):
            np.testing.assert_array_equal(blend.state[name], saved.state[name])


def test_the_blends_hold_what_was_asked_for(arena: Arena) -> None:
    blends = [
        Blend.load(Cell(arena.config.contenders[0], 0, update).folder(arena.folder) / CONTENDER / "blend")
        for update in arena.updates
    ]
    assert len({blend.hash for blend in blends}) == len(blends) == 2
    for blend in blends:
        assert isinstance(blend.calibration, Anchored)
        assert blend.fitted and all(name.startswith("stack.") for name in blend.fitted)
        assert len(blend.state["reservoir.rows"]) == 200
        rows = arena.stream.positions(blend.state["reservoir.rows"])
        assert not arena.eval_rows[rows].any() and (np.diff(rows) > 0).all()
