"""Many requests at once, each under an adapter of its own: every score is the one that it gets alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lm.models import TITLES, encoder_for, random_world, tiny_base, wide
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.encode import Blocks
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.graft import Grafts
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.slots import MOST
from regraft.lm.workshop import Workshop
from regraft.prompts.timeline import Shape
from worlds import tiny_stream

THREADS, USERS, LIMIT = 16, 200, 400_000
VIEW = random_world(7, events=24, users=2, periods=Periods(by="time", n=3))


@pytest.fixture(autouse=True)
def _cores() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def at_once(work: Sequence[Callable[[], np.ndarray]]) -> list[np.ndarray]:
    """The results of all work, done by as many threads as a server has, which begin together."""
    number = min(THREADS, len(work))
    together = threading.Barrier(number)
    with ThreadPoolExecutor(number, "request", together.wait) as pool:
        return list(pool.map(lambda one: one(), work))


@cache
def requests() -> list[Stream]:
    """One to five candidates at one instant, behind up to seven events of each user."""
    views = []
    for user in range(USERS):
        events, asked = user % 8, 1 + user % 5
        past = [f"u{user}:i{(k * 5 + user) % 6}{'+' if (k + user) % 3 else '-'}@{10 + 10 * k}" for k in range(events)]
        now = [f"u{user}:i{k}+@{10 + 10 * events}" for k in range(asked)]
        whole = tiny_stream(" ".join(["z:i0-@0", "z:i1+@0", *past, *now]), titles=TITLES)
        views.append(whole.only(whole.time[whole.targets] == whole.time.max()))
    return views


def options(adapt: str, rank: int = 4) -> AdapterOptions:
    return AdapterOptions(rank=rank, alpha=2.0 * rank, adapt=adapt)


class Server:
    """One model, and the ways to ask it: two adapters of one shape, one of another, and none."""

    def __init__(self, family: str, adapt: str) -> None:
        base = tiny_base(family)
        self.shop = Workshop(base, encoder_for(base.tokenizer, shape=Shape(40, 40)), options(adapt))
        self.adapters = [
            wide(base, 0, options(adapt)), wide(base, 1, options(adapt)), wide(base, 2, options(adapt, rank=2)), None,
        ]  # fmt: skip
        self.blocks: list[Blocks] = [self.shop.blocks(view) for view in requests()]

    def score(self, user: int, adapter: Adapter | None, warm: WarmPrefixes | None = None) -> np.ndarray:
        shop = self.shop
        with shop.grafts.on(adapter):
            return score_blocks(shop.base, shop.answers, self.blocks[user], trunk=shop.trunk_of(adapter), warm=warm)


@pytest.mark.parametrize(
    ("family", "adapt", "cores", "users"),
    [
        ("llama", "all", 1, USERS),
        ("llama", "top(1/4)", 1, USERS),
        ("llama", "top(1/4)", 2, 16),  # batches go to lanes, which are everybody's
        ("gemma2", "all", 2, 16),  # its attention is its own code
    ],
)
def test_every_score_is_the_one_alone(family: str, adapt: str, cores: int, users: int):
    torch.set_num_threads(cores)
    server = Server(family, adapt)
    base, warm = server.shop.base, WarmPrefixes(server.shop.base, LIMIT)
    assert (server.shop.trunk is None) == (adapt == "all")
    asked = [(user, server.adapters[user // 2 % 4]) for user in range(users)]
    alone = [server.score(*one) for one in asked]
    for at_hand in (None, warm, warm) if users < USERS else (None, warm):
        found = at_once([partial(server.score, *one, at_hand) for one in asked])
        for ours, expected in zip(found, alone, strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-4)
    apart = [np.abs(server.score(7, adapter) - server.score(7, None)).max() for adapter in server.adapters[:3]]
    assert min(apart) > 0.01  # so an adapter that acted for another would have been seen
    assert 0 < warm.bytes <= LIMIT
    assert base.config._attn_implementation == ("eager" if family == "gemma2" else "sdpa")
    assert len(server.shop.grafts.slots) <= MOST


def test_one_user_may_ask_many_times_at_once():
    server = Server("llama", "all")
    warm = WarmPrefixes(server.shop.base)
    asked = [(user, server.adapters[turn % 4]) for turn in range(12) for user in (7, 15, 6)]
    expected = {(user, a and a.hash): server.score(user, a) for user, a in asked}
    found = at_once([partial(server.score, *one, warm) for one in asked])
    for (user, adapter), ours in zip(asked, found, strict=True):
        np.testing.assert_allclose(ours, expected[user, adapter and adapter.hash], atol=1e-4)
    assert len(warm) <= 12


def test_fits_and_scores_go_on_side_by_side_with_the_same_bits(tmp_path: Path):
    def shop(folder: str) -> Workshop:
        base = tiny_base()
        fit = FitOptions(targets_per_step=16, epochs=1)
        return Workshop(base, encoder_for(base.tokenizer), options("all", rank=2), fit, tmp_path / folder)

    def fitted(shop: Workshop, seed: int) -> np.ndarray:
        weights = ModelLab(shop, seed).fit(VIEW).weights
        return np.concatenate([weights[name].ravel() for name in sorted(weights)])

    one, many = shop("one"), shop("many")
    adapters = [wide(one.base, seed, options("all")) for seed in range(3)]
    work = [partial(fitted, seed=seed) for seed in range(2)]
    work += [
        lambda shop, adapter=adapter: ModelLab(shop).score_adapter(adapter, VIEW) for adapter in [*adapters, None] * 2
    ]
    expected = [do(one) for do in work]
    for ours, theirs in zip(at_once([partial(do, many) for do in work]), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_slots_are_bounded_and_the_one_used_last_goes_last():
    base = tiny_base()
    grafts = Grafts(base)
    before = [id(parameter) for parameter in base.model.parameters()]
    adapters = [wide(base, seed, options("all", rank=1 + seed % 3)) for seed in range(10)]
    for turn in range(50):
        with grafts.on(adapters[turn % 10]):
            pass
        with grafts.on(adapters[0]):
            slot = grafts.slots.acting()
        with grafts.training(adapters[1]), grafts.on(adapters[0]):
            assert grafts.slots.acting() is slot  # loaded once: it was never the one used least recently
        assert len(grafts.slots) == min(turn + 1, MOST)
    assert grafts.slots.acting() is None
    assert [id(parameter) for parameter in base.model.parameters()] == before


def test_no_slot_goes_while_it_is_used():
    base = tiny_base()
    grafts = Grafts(base)
    grafts.slots.most = 2
    adapters = [wide(base, seed, options("all")) for seed in range(5)]
    entered, leave = threading.Barrier(6), threading.Event()

    def hold(adapter: Adapter) -> bool:
        with grafts.on(adapter):
            slot = grafts.slots.acting()
            entered.wait(30)
            assert leave.wait(30)
            with grafts.on(adapter):
                return grafts.slots.acting() is slot

    with ThreadPoolExecutor(5) as pool:
        held = [pool.submit(hold, adapter) for adapter in adapters]
        entered.wait(30)
        assert len(grafts.slots) == 5
        leave.set()
        assert all(one.result() for one in held)
    assert len(grafts.slots) == 2


def test_what_one_thread_turns_on_is_seen_in_no_other():
    base = tiny_base()
    grafts, ids = Grafts(base), torch.arange(1, 30)[None]
    seen: list[torch.Tensor] = []

    def read() -> None:
        with torch.no_grad():
            seen.append(base.hidden(ids))

    def elsewhere() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    read()
    with grafts.on(wide(base)):
        elsewhere()
        read()
    grafts.put(wide(base))
    elsewhere()
    with grafts.bare():
        elsewhere()
        read()
    bare, other, own, put, put_too, bare_again = seen
    assert torch.equal(other, bare) and torch.equal(bare_again, bare)
    assert torch.equal(put, own) and torch.equal(put_too, own) and not torch.equal(own, bare)
