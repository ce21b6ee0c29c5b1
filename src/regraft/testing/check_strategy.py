"""What every strategy must hold, whoever wrote it. In a test of your own:

    def test_my_strategy_keeps_the_contract():
        check_strategy(MyStrategy(share=0.5))

The strategy closes the periods of a small log with a fake lab (no PyTorch), as the arena would close them.
"""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Strategy
from regraft.strategies.strategy_contender import StrategyContender
from regraft.testing._ground import demand, learnable, shown, small_stream
from regraft.testing.fake_lab import Call, FakeLab

if TYPE_CHECKING:
    pass

CLOSES = range(2, 6)  # the first close has a history of two periods


def check_strategy(strategy: Strategy, seed: int = 0) -> None:
    """AssertionError where the strategy breaks a rule, in words; what it raises itself comes through.

    It starts with no blend and with a single period; asks only for rows it was given, as examples only for
    examples it was given; keeps nothing in itself; leaves old blends alone; ends with the same blend when
    it is killed after any close and goes on from what was saved; scores every case of every later period.
    """
    stream, before = small_stream(), copy.deepcopy(strategy)
    _answers(copy.deepcopy(strategy), learnable(stream, CLOSES[0]), seed)
    unbroken = _close_all(strategy, stream, seed)
    demand(_same(before, strategy), f"{_name(strategy)} changed itself: what it must remember belongs in blend.state")
    with TemporaryDirectory() as folder:
        resumed = _close_all(before, stream, seed, Path(folder))
    for period, one, other in zip(CLOSES, unbroken, resumed, strict=True):
        demand(
            one.hash == other.hash,
            f"{_name(strategy)}: going on from the saved blend, the close of period {period} ends with another blend; "
            "draw from lab.rng alone and keep what is remembered in blend.state and blend.kept",
        )
    _closes_on_little(before, stream, seed)


def _answers(strategy: Strategy, past: Stream, seed: int) -> None:
    """What it returns at the first close, and how much it says must be stored."""
    _is_sound(strategy.update(None, past, _lab(seed)), f"{_name(strategy)}, first close")
    if not hasattr(strategy, "stored"):
        return
    stored = strategy.stored(past)
    demand(
        isinstance(stored, int) and 0 <= stored <= len(past),
        f"{_name(strategy)}: stored(past) is {stored!r}; expected a number of examples, 0 to {len(past):,}",
    )


def _close_all(strategy: Strategy, stream: Stream, seed: int, folder: Path | None = None) -> list[Blend]:
    """The blend after each close; with a folder, saved and loaded by a new contender every time."""
    blends: list[Blend] = []
    contender = StrategyContender(strategy, _lab(seed))
    for period in CLOSES:
        past = learnable(stream, period)
        old = contender.blend
        _closes(contender, past, period)
        if old is not None:
            demand(_rehashed(old) == old.hash, f"{_name(strategy)}: the close of period {period} changed the old blend")
        blends.append(contender.blend)  # type: ignore[arg-type]
        for later in range(period + 1, stream.n_periods + 1):
            _scores_all(contender, stream.cases(later), later)
        if folder is not None:
            contender.save(folder / str(period))
            contender = StrategyContender(copy.deepcopy(strategy), _lab(seed))
            contender.load(folder / str(period))
    return blends


def _closes(contender: StrategyContender, past: Stream, period: int) -> None:
    """One close, and what was asked of the lab in it."""
    lab = contender.lab
    assert isinstance(lab, FakeLab)
    began, before = len(lab.calls), shown(past)
    contender.renew(past)
    name = f"{_name(contender.strategy)}, close of period {period}"
    demand(shown(past) == before, f"{name}: the past was changed")
    for call in lab.calls[began:]:
        _asks_for_the_past_only(call, past, name)
    _is_sound(contender.blend, name)


def _asks_for_the_past_only(call: Call, past: Stream, name: str) -> None:
    for view in (call.view, call.asked.get("stop")):
        if view is None:
            continue
        demand(
            len(view.time) <= len(past.time) and np.array_equal(view.time, past.time[: len(view.time)]),
            f"{name}: lab.{call.what} was handed rows that are not of the past ({len(view.time):,} rows; "
            f"the past has {len(past.time):,})",
        )
        foreign = np.setdiff1d(view.targets, past.targets)
        demand(
            not len(foreign),
            f"{name}: lab.{call.what} was handed {len(foreign):,} examples that were set aside and must not be used",
        )


def _is_sound(blend: object, name: str) -> None:
    demand(isinstance(blend, Blend), f"{name}: update returned {type(blend).__name__}, not a Blend")
    assert isinstance(blend, Blend)
    weights = [weight for _, weight in blend.parts]
    demand(bool(weights), f"{name}: the blend has no part; Blend.of(None) is the bare base model")
    demand(
        all(w >= 0 for w in weights) and abs(sum(weights) - 1) < 1e-6,
        f"{name}: the weights are {weights}; they must not be negative and sum to 1",
    )
    for adapter in [*(a for a, _ in blend.parts if a is not None), *blend.kept.values()]:
        adapter.check(f"{name}: adapter {adapter.hash[:8]}")
    for key, value in blend.state.items():
        demand(isinstance(value, np.ndarray), f"{name}: state '{key}' is {type(value).__name__}, not an array")


def _scores_all(contender: StrategyContender, cases: Stream, period: int) -> None:
    scores = contender.score(cases)
    finite = int(np.isfinite(scores).sum())
    demand(
        len(scores) == len(cases) == finite,
        f"{_name(contender.strategy)}: {finite:,} finite scores for {len(cases):,} cases of period {period}",
    )


def _closes_on_little(strategy: Strategy, stream: Stream, seed: int) -> None:
    """A first close with one period, then one whose period has a single example."""
    contender = StrategyContender(copy.deepcopy(strategy), _lab(seed))
    _closes(contender, learnable(stream, 1), 1)
    past = learnable(stream, 2)
    older = int((past.period[past.targets] < 2).sum())
    _closes(contender, past.only(np.arange(older + 1)), 2)


def _lab(seed: int) -> FakeLab:
    return FakeLab(seed)


def _name(strategy: Strategy) -> str:
    return type(strategy).__name__


def _same(one: Strategy, other: Strategy) -> bool:
    private = "__pydantic_private__"
    both = [repr((sorted(vars(s).items()), getattr(s, private, None))) for s in (one, other)]
    return both[0] == both[1]


def _rehashed(blend: Blend) -> str:
    """The hash of what the blend holds now; hashes are kept once computed."""
    parts = tuple((None if a is None else Adapter(a.shape, a.weights), w) for a, w in blend.parts)
    kept = {key: Adapter(a.shape, a.weights) for key, a in blend.kept.items()}
    return Blend(parts, blend.mode, blend.calibration, blend.state, kept, blend.fitted).hash
