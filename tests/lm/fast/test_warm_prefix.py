"""A history at hand from the last request gives the scores of one that is read anew, and reads what is new alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lm.models import FAMILIES, WINDOW, encoder_for, tiny_base, wide
from regraft.data.stream import Stream
from regraft.lm.fast.shared_prefix import keeps
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions
from regraft.lm.score import score_blocks
from regraft.prompts.timeline import Shape
from worlds import tiny_stream

TITLES = {"i0": "heat", "i1": "up", "i2": "alien night of the big blue war", "i3": "Yes", "i4": "comedy", "i5": "No No"}


def request(user: str, events: int, shift: int = 0) -> Stream:
    """Three candidates at one instant, after so many events of the user."""
    past = " ".join(f"{user}:i{(k * 5 + shift) % 6}{'+' if k % 3 else '-'}@{10 * k}" for k in range(events))
    asked = " ".join(f"{user}:i{k}+@{10 * events}" for k in range(3))
    whole = tiny_stream(f"{past} {asked}", titles=TITLES)
    return whole.only(whole.time[whole.targets] == whole.time.max())


def scored(view: Stream, base, warm: WarmPrefixes | None) -> np.ndarray:  # type: ignore[no-untyped-def]
    encoder = encoder_for(base.tokenizer, shape=Shape(40, 40))
    return score_blocks(base, encoder.answers, encoder.encode(view), warm=warm)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_history_that_grows_is_appended_to(family: str):
    base = tiny_base(family)
    Grafts(base).put(wide(base))
    warm = WarmPrefixes(base)
    read = []
    for events in (3, 9, 10, 10, 24):
        before = warm.tokens_read
        view = request("ann", events)
        np.testing.assert_allclose(scored(view, base, warm), scored(view, base, None), atol=1e-4)
        read.append(warm.tokens_read - before)
    assert read[0] > 0 and read[1] > read[2] > 0
    assert read[3] == 0  # the same history again
    assert sum(read) > WINDOW


@pytest.mark.parametrize("family", FAMILIES)
def test_one_candidate_reads_on_where_the_history_ends(family: str):
    base = tiny_base(family)
    Grafts(base).put(wide(base))
    warm = WarmPrefixes(base)
    assert keeps(base)  # which tries it, in passes of its own
    passes: list[int] = []
    decoder = base.model.base_model
    for events in (3, 9, 10, 10, 24):
        whole = request("ann", events)
        alone = whole.only(slice(1, 2))
        expected = scored(alone, base, None)
        watch = decoder.register_forward_hook(lambda *_, events=events: passes.append(events))
        found = scored(alone, base, warm)
        watch.remove()
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_allclose(scored(whole, base, warm), scored(whole, base, None), atol=1e-4)
    assert passes == [3, 9, 10, 10, 24]


@pytest.mark.parametrize("candidates", [1, 3])
def test_an_adapter_for_targets_alone_leaves_what_lies_there(candidates: int):
    base = tiny_base()
    grafts, warm = Grafts(base), WarmPrefixes(base)
    scores = []
    for seed in (0, 1):
        grafts.put(wide(base, seed, AdapterOptions(rank=4, alpha=8.0, adapt="targets")))
        for events in (8, 9):
            view = request("ann", events).only(slice(0, candidates))
            encoder = encoder_for(base.tokenizer, shape=Shape(40, 40), apart=True)
            blocks = encoder.encode(view)
            found, expected = (score_blocks(base, encoder.answers, blocks, warm=w) for w in (warm, None))
            np.testing.assert_allclose(found, expected, atol=1e-4)
            scores.append(found)
    assert np.abs(scores[0] - scores[2]).max() > 0.01


def test_another_context_or_user_or_past_is_told_apart():
    base = tiny_base()
    warm = WarmPrefixes(base)
    for view in (request("ann", 8), request("ann", 8, shift=1), request("ann", 5, shift=1), request("ann", 8)):
        np.testing.assert_allclose(scored(view, base, warm), scored(view, base, None), atol=1e-4)
    assert len(warm) == 1


def test_adapters_share_no_line_and_find_their_own_again():
    base = tiny_base()
    grafts, warm = Grafts(base), WarmPrefixes(base)
    view, adapters = request("ann", 8), [None, wide(base, 0), wide(base, 1)]
    found = []
    for turn in range(2):
        before = warm.tokens_read
        for adapter in adapters:
            with grafts.on(adapter):
                found.append(scored(view, base, warm))
                np.testing.assert_allclose(found[-1], scored(view, base, None), atol=1e-4)
        assert (warm.tokens_read > before) == (turn == 0)
    assert len(warm) == 3
    assert min(np.abs(found[0] - found[1]).max(), np.abs(found[1] - found[2]).max()) > 0.1


def test_a_step_of_training_leaves_its_lines_behind():
    base = tiny_base()
    slot, warm, view = Grafts(base).put(wide(base)), WarmPrefixes(base), request("ann", 8)
    scored(view, base, warm)
    with torch.no_grad():
        for weight in slot.values():
            weight.mul_(0.5)
    np.testing.assert_allclose(scored(view, base, warm), scored(view, base, None), atol=1e-4)


def test_a_line_is_one_request_s_alone_while_it_is_used():
    base = tiny_base()
    warm, tokens = WarmPrefixes(base), np.arange(5, 25)
    with torch.inference_mode(), warm.read(0, tokens) as (states, kept):
        keys = [layer.keys.clone() for layer in kept.layers]
        with warm.read(0, tokens[:7]) as (shorter, other):
            assert other is not kept and len(shorter) == 7
        assert len(states) == 20 and all(torch.equal(a.keys, b) for a, b in zip(kept.layers, keys, strict=True))
    assert (len(warm), warm.tokens_read) == (1, 27)
    assert warm.bytes == 20 * 4 * (32 + 2 * 4 * 2 * 8)


def test_beyond_its_bound_the_least_recently_asked_goes():
    base = tiny_base()
    warm = WarmPrefixes(base)
    lines = [np.arange(5 + n, 25 + n) for n in range(4)]

    def read(who: int) -> None:
        with torch.inference_mode(), warm.read(who, lines[who]):
            pass

    read(0)
    one = warm.bytes
    assert one == 20 * 4 * (32 + 2 * 4 * 2 * 8)  # states, and keys and values of four layers
    warm.limit = 2 * one
    for who in (1, 0, 2):
        read(who)
    assert (len(warm), warm.bytes) == (2, 2 * one)
    before = warm.tokens_read
    read(0)
    assert warm.tokens_read == before
    read(1)
    assert warm.tokens_read == before + 20
