"""One request: the tokens and scores that its candidates have as examples of a view."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lm.models import (
    GENRES,
    REGIMES,
    TIMELINE,
    TITLES,
    candidates,
    encoder_for,
    random_log,
    random_world,
    seen,
    tiny_base,
    tokenizer,
    wide,
)
from regraft.data.history import History, Request, requests_of
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.lm.ask import score_request
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend, average_probability
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions
from regraft.lm.workshop import Workshop
from regraft.prompts.fact_state import FactState
from regraft.prompts.facts import FACTS, fact_table
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape
from worlds import logs, tiny_stream

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
THREE = Periods(by="time", n=3, warm_up=0.2)
TEMPLATES = {name: Template.load(name) for name in ("judge-timeline-facts", "judge-tallrec")} | {"tiny": TIMELINE}
HEADLESS = Template(TIMELINE.source.replace("Verdicts:\n", ""), "headless")
base_of: Callable[..., BaseModel] = lru_cache(tiny_base)


def requests(view: Stream, encoder: Encoder, last: int | None = None) -> list[tuple[np.ndarray, Request]]:
    """All examples of the view as requests, with facts where the template shows any."""
    facts = None
    if encoder.template.facts:
        facts = fact_table(view, encoder.regime, encoder.refresh, similarity=encoder.compares)
    return list(requests_of(view, encoder.regime, facts, last))


def assert_equal_tokens(view: Stream, encoder: Encoder) -> None:
    whole = encoder.encode(view)
    for examples, request in requests(view, encoder):
        blocks = encoder.encode_request(request)
        assert [seen(blocks, n) for n in range(len(request))] == [seen(whole, n) for n in examples]


def shop_of(
    regime: Regime = REGIMES[0], template: Template = TIMELINE, adapt: str = "all", shape: Shape | None = None
) -> Workshop:
    base = base_of("llama")
    encoder = encoder_for(base.tokenizer, template, regime, shape or Shape(2, 3))
    return Workshop(base, encoder, AdapterOptions(rank=4, alpha=8.0, adapt=adapt))


def ensemble(shop: Workshop, parts: int = 2) -> Blend:
    adapters = [wide(shop.base, seed, shop.adapter) for seed in range(parts)]
    return Blend(tuple((adapter, 1.0 + n) for n, adapter in enumerate(adapters)))


# -- tokens --------------------------------------------------------------------------------------------


@FEW
@given(logs(), st.sampled_from(REGIMES), st.sampled_from(sorted(TEMPLATES)), st.integers(0, 4), st.integers(1, 5))
def test_a_candidate_has_the_tokens_and_positions_of_its_example(
    log: str, regime: Regime, template: str, context: int, targets: int
):
    view = tiny_stream(log, THREE, titles=TITLES, genres=GENRES)
    assert_equal_tokens(view, encoder_for(tokenizer(), TEMPLATES[template], regime, Shape(context, targets)))


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("regime", REGIMES, ids=str)
def test_tokens_are_equal_in_every_regime_under_every_template(template: str, regime: Regime):
    view = random_world(5, events=60, periods=THREE)
    assert_equal_tokens(view, encoder_for(tokenizer(), TEMPLATES[template], regime))
    assert_equal_tokens(view, encoder_for(tokenizer(), TEMPLATES[template], regime, refresh="day"))


def test_candidates_that_did_not_happen_make_the_very_same_blocks():
    view = candidates(each=30)
    encoder = encoder_for(tokenizer(), shape=Shape(2, 6))
    unseen = view.only(~view.happened[view.targets])
    for examples, request in requests(unseen, encoder):
        one, other = encoder.encode(unseen.only(examples)), encoder.encode_request(request)
        assert len(one) == len(other) > 0
        assert one.tokens.data.tolist() == other.tokens.data.tolist()
        for name in ("position", "limit", "segment", "line", "block", "read", "part"):
            assert getattr(one, name).tolist() == getattr(other, name).tolist(), name


@FEW
@given(logs(), st.sampled_from(REGIMES), st.integers(0, 4), st.integers(1, 5))
def test_the_newest_events_are_all_that_a_request_needs(log: str, regime: Regime, context: int, targets: int):
    view = tiny_stream(log, THREE, titles=TITLES)
    encoder = encoder_for(tokenizer(), regime=regime, shape=Shape(context, targets))
    long, short = (requests(view, encoder, last) for last in (None, context + targets))
    for (_, whole), (_, tail) in zip(long, short, strict=True):
        one, other = encoder.encode_request(whole), encoder.encode_request(tail)
        assert len(tail.history) <= context + targets
        assert one.tokens.data.tolist() == other.tokens.data.tolist()


def test_too_short_a_tail_is_refused_with_what_is_needed():
    view = tiny_stream(" ".join(f"ann:i{k % 5}{'+' if k % 2 else '-'}@{k}" for k in range(12)))
    encoder = encoder_for(tokenizer(), shape=Shape(3, 4))
    asked = Request(History.of(view, 0, last=5), view.items[:2], 20_000)
    assert (
        len(encoder.encode_request(replace(asked, history=History.of(view, 0, last=3)))) == 1
    )  # 12 = 3 * 4: W is enough
    short = replace(asked, history=History.of(view, 0, known=11, last=5))
    with pytest.raises(DataError) as error:
        encoder.encode_request(short)
    assert str(error.value) == (
        "history of user 'ann': holds 5 of 11 events, the last 6 are needed\nExpected the last W + H = 7 events, or all"
    )


def test_the_length_of_a_history_adds_no_token():
    lengths = []
    for events in (60, 600):
        view = tiny_stream(" ".join(f"ann:i{k % 6}{'+' if k % 3 else '-'}@{k}" for k in range(events)), titles=TITLES)
        request = Request(History.of(view, 0), view.items, 1_000_000)
        lengths.append(len(encoder_for(tokenizer(), shape=Shape(6, 6)).encode_request(request).tokens.data))
    assert lengths[0] == lengths[1]


def test_every_fact_can_be_asked_for():
    names = " ".join(f"{{{{ facts.{name} }}}}" for name in FACTS)
    template = Template(TIMELINE.source.replace("{{ item.title }}", "{{ item.title }} " + names), "all facts")
    assert template.facts == list(FACTS)
    assert_equal_tokens(
        random_world(6, events=30, periods=THREE), encoder_for(tokenizer(), template, similarity="columns")
    )


def test_facts_kept_as_a_state_give_the_tokens_of_the_log():
    log = random_log(3, users=3, events=50)
    at = int(log.rsplit("@", 1)[1]) + 60
    whole = tiny_stream(f"{log} " + " ".join(f"u1:i{k}+@{at}" for k in range(6)), THREE, titles=TITLES, genres=GENRES)
    view = whole.only(slice(-6, None))
    past = whole.targets[-6]
    users, items, state, told = whole.user_ids.to_numpy(), whole.items["item_id"].to_numpy(), FactState(Regime()), []
    for period in range(whole.n_periods + 1):
        if period:
            state.close_period()
        rows = np.flatnonzero(whole.period[:past] == period)
        told.append(state.take(users[whole.user[rows]], items[whole.item[rows]], whole.time[rows], whole.label[rows]))
    history = History.of(whole, int(view.users[0]), pl.concat([*told, told[0].clear(6)])).as_of(at * 1000, Regime())
    asked = whole.items[whole.item[view.targets]]
    request = Request(history, asked, at * 1000, state.ask("u1", asked["item_id"].to_list(), at * 1000))
    encoder = encoder_for(tokenizer(), TEMPLATES["judge-timeline-facts"])
    blocks, expected = encoder.encode_request(request), encoder.encode(view)
    assert [seen(blocks, n) for n in range(6)] == [seen(expected, n) for n in range(6)]


# -- strangers and unknown items -----------------------------------------------------------------------


def item(**texts: str) -> pl.DataFrame:
    return pl.DataFrame({"item_id": ["new"], **{name: [text] for name, text in texts.items()}})


def text_of(blocks: Blocks) -> str:
    return str(tokenizer().decode(blocks.tokens[0]))


def test_a_stranger_is_asked_with_the_head_and_the_candidate_alone():
    encoder = encoder_for(tokenizer())
    assert (
        text_of(encoder.encode_request(Request(History("zoe"), item(title="big night"), 5))) == "Verdicts:\nbig night:"
    )


def test_an_item_that_nobody_saw_is_written_from_its_own_texts():
    view, encoder = tiny_stream("ann:i0+@1 ann:i1-@2", titles=TITLES), encoder_for(tokenizer())
    history = History.of(view, 0)
    known = "Verdicts:\nheat: Yes\nup: No\n"
    for asked, text in (
        (item(title="big\u200b night", genres="war"), "big night (war):"),
        (item(title="big night", director="someone"), "big night:"),
        (item(), "item new:"),
    ):
        assert text_of(encoder.encode_request(Request(history, asked, 5_000))) == known + text


@pytest.mark.parametrize("template", [TIMELINE, HEADLESS, TEMPLATES["judge-tallrec"]], ids=lambda t: t.name)
@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("warm", [False, True])
def test_a_stranger_is_scored_like_anybody(template: Template, count: int, warm: bool):
    shop = shop_of(template=template)
    blend = ensemble(shop)
    texts = pl.DataFrame({"item_id": [f"i{k % 6}" for k in range(count)]}, schema={"item_id": pl.String})
    texts = texts.with_columns(pl.col("item_id").replace_strict(TITLES, return_dtype=pl.String).alias("title"))
    request = Request(History("zoe"), texts, 5)
    found = score_request(shop, blend, request, WarmPrefixes(shop.base) if warm else None)
    alone = [score_request(shop, blend, replace(request, candidates=texts[k : k + 1])) for k in range(min(count, 6))]
    assert found.shape == (count,)
    np.testing.assert_allclose(found[: len(alone)], np.array(alone).ravel(), atol=1e-4)


# -- scores --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("regime", REGIMES, ids=str)
def test_a_request_scores_like_the_examples_of_a_view(template: str, regime: Regime):
    shop = shop_of(regime, TEMPLATES[template])
    view = random_world(8, events=25, periods=THREE)
    blend, warm = ensemble(shop), WarmPrefixes(shop.base)
    expected = ModelLab(shop).score(blend, view)
    found = np.full((2, len(view)), np.nan)
    for examples, request in requests(view, shop.encoder):
        found[0, examples] = score_request(shop, blend, request)
        found[1, examples] = score_request(shop, blend, request, warm)
    np.testing.assert_allclose(found, [expected, expected], atol=1e-4)
    assert np.std(expected) > 0.05


def test_adapters_at_targets_alone_score_a_request_like_a_view_and_share_one_history():
    shop = shop_of(adapt="targets")
    view = random_world(8, events=40, periods=THREE)
    blend, warm = ensemble(shop), WarmPrefixes(shop.base)
    expected = ModelLab(shop).score(blend, view)
    for examples, request in requests(view, shop.encoder):
        np.testing.assert_allclose(score_request(shop, blend, request, warm), expected[examples], atol=1e-4)
    assert len(warm) == len(view.user_ids)


def test_the_parts_of_a_blend_and_the_bare_base_model_keep_histories_of_their_own():
    shop = shop_of(shape=Shape(6, 6))
    view = candidates(each=3)
    blend = Blend((*ensemble(shop).parts, (None, 3.0)))
    warm = WarmPrefixes(shop.base)
    for _, request in requests(view, shop.encoder):
        parts = np.stack([score_request(shop, Blend.of(adapter), request) for adapter, _ in blend.parts])
        expected = average_probability(parts, np.array([1, 2, 3]) / 6)
        for _ in range(2):
            np.testing.assert_allclose(score_request(shop, blend, request, warm), expected, atol=1e-4)
        assert np.ptp(parts, axis=0).max() > 0.01
    assert len(warm) == 3 * len(view.user_ids)


def test_a_second_request_reads_nothing_of_the_history_again():
    shop = shop_of(shape=Shape(6, 6))
    blend, warm = ensemble(shop), WarmPrefixes(shop.base)
    (_, request), *_ = requests(candidates(each=3), shop.encoder)
    read = []
    for _ in range(2):
        score_request(shop, blend, request, warm)
        read.append(warm.tokens_read)
    assert read[0] == read[1] > 0


def test_threads_that_ask_at_once_get_the_scores_of_one_alone():
    shop = shop_of(shape=Shape(6, 6))
    asked = [request for _, request in requests(random_world(8, events=40, users=6), shop.encoder)][-12:]
    blends = [Blend.of(adapter) for adapter, _ in ensemble(shop).parts]
    work = [(blend, request) for request in asked for blend in blends]
    alone = [score_request(shop, *one) for one in work]
    warm = WarmPrefixes(shop.base)
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(lambda one: score_request(shop, *one, warm), work), alone, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4)
