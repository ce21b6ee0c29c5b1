"""Ranked lists of an arena run: requests, candidates, ranks, and what a run leaves of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from arena.small_runs import SMALL_BASE
from regraft.arena.compare import Arena
from regraft.arena.lists import Questions, Requests, retrieved
from regraft.arena.pace import Paces
from regraft.arena.plan import plan_run
from regraft.baselines.rates import Rates
from regraft.data.build import build_stream
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.facts import fact_table
from regraft.report.list_tables import list_head
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import markdown_table, results_csv, summarise, verdict
from regraft.setup.config import ArenaConfig, RankingOptions
from worlds import tiny_log, tiny_stream

PERIODS = Periods(by="count", n=4, warm_up=0.3)


def shop(days: int = 400) -> Stream:
    """40 people, two items at each visit, four times of five from the person's own shelf."""
    rng = np.random.default_rng(0)
    words = []
    for day in range(days):
        person = int(rng.integers(40))
        shelf = person % 6 if rng.random() < 0.8 else int(rng.integers(6))
        words += [f"p{person}:s{shelf}i{int(i)}+@{day}h" for i in rng.choice(5, 2, replace=False)]
    return tiny_stream(" ".join(words), PERIODS, label="implicit")


def configured(contenders: list[object], **ranking: int) -> ArenaConfig:
    data = {"path": "shop.csv", "label": "implicit", "periods": PERIODS.model_dump()}
    more = {"ranking": {"requests": 60, "candidates": 8, **ranking}, "first_update": 2, "eval_share": 0}
    return ArenaConfig.parse({"data": data, "contenders": contenders, **SMALL_BASE, **more})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    arena = Arena(configured(["popularity", "rates", "item-knn"]), tmp_path_factory.mktemp("lists") / "run", shop())
    list(arena.run())
    return arena


# -- requests ----------------------------------------------------------------------------------------


def test_a_request_wants_the_whole_basket_and_is_asked_once() -> None:
    log = shop().cases(3)
    requests = Requests.drawn(log, 1000)
    assert len(set(zip(log.user[requests.row], log.time[requests.row], strict=True))) == len(requests.row)
    for row, wanted in zip(requests.row, requests.wanted, strict=True):
        basket = log.happened & (log.user == log.user[row]) & (log.time == log.time[row])
        assert wanted.tolist() == sorted(set(log.item[basket].tolist()))


def test_candidates_are_the_items_on_offer_before_the_instant() -> None:
    log = shop().cases(1)
    requests = Requests.drawn(log, 1000)
    for row, pool in zip(requests.row, requests.pool, strict=True):
        earlier = log.happened & (log.known_at < log.known_at[row])
        assert set(range(pool)) == set(log.item[earlier].tolist())


def test_fewer_requests_are_the_first_of_the_same_draw() -> None:
    log = shop().cases(3)
    assert Requests.drawn(log, 10).row.tolist() == Requests.drawn(log, 50).row[:10].tolist()


def test_requests_of_a_closed_period_stay_when_the_log_grows() -> None:
    short, whole = shop(300), shop(400)
    whole = under_the_cuts_of(whole, short)
    for p in (1, 2, 3):
        assert Requests.drawn(short.cases(p), 20).row.tolist() == Requests.drawn(whole.cases(p), 20).row.tolist()


def under_the_cuts_of(whole: Stream, short: Stream) -> Stream:
    """The longer log under the cuts of the shorter one."""
    real = np.flatnonzero(whole.happened)
    users, items = whole.user_ids.gather(whole.user[real]), whole.items["item_id"].gather(whole.item[real])
    times = whole.time[real] // 3_600_000
    words = " ".join(f"{u}:{i}+@{t}h" for u, i, t in zip(users, items, times, strict=True))
    log = tiny_log(words)
    return build_stream(log, log.select("item_id"), "implicit", PERIODS, cuts=short.frozen)


# -- ranks -------------------------------------------------------------------------------------------


class Oracle:
    """Scores by item code, highest first where `best` says so."""

    passes = 0

    def __init__(self, order: np.ndarray) -> None:
        self.order = order

    def score(self, cases: Stream) -> np.ndarray:
        return -self.order[cases.item[cases.targets]].astype(np.float64)


def test_ranks_are_places_in_the_list_of_the_request_and_infinity_outside_of_it() -> None:
    stream = shop()
    options = RankingOptions(requests=30, candidates=8)
    found = Questions(stream.cases(3), stream.until(3), Regime(), options, 3)
    order = np.random.default_rng(1).permutation(len(stream.items))
    every = found.all_ranked(Oracle(order))  # type: ignore[arg-type]
    rank_of = dict(zip(every.select("request", "item").rows(), every["rank"], strict=True))
    for row, pool, wanted in zip(found.requests.row, found.requests.pool, found.requests.wanted, strict=True):
        for item in wanted:
            expected = 1 + int((order[:pool] < order[item]).sum()) if item < pool else np.inf
            assert rank_of[int(stream.row_id[row]), int(item)] == expected
    few = found.reranked(Oracle(order), found.retrieved)  # type: ignore[arg-type]
    for (request, item), rank in zip(few.select("request", "item").rows(), few["rank"], strict=True):
        place = stream.row_id[found.requests.row].tolist().index(request)
        own = found.retrieved.lists[place]
        assert rank == (1 + int((order[own] < order[item]).sum()) if item in own else np.inf)


def test_a_contender_with_a_full_list_ranks_as_among_all() -> None:
    stream = shop()
    model = Rates(Regime())
    model.renew(stream.until(3))
    options = RankingOptions(requests=20, candidates=1000)
    found = Questions(stream.cases(3), stream.until(3), Regime(), options, 3)
    assert found.all_ranked(model)["rank"].equals(found.reranked(model, found.retrieved)["rank"])  # type: ignore[arg-type]


def test_the_retriever_finds_what_goes_with_the_history_more_often_than_chance() -> None:
    stream = shop()
    requests = Requests.drawn(stream.cases(4), 60)
    lists = list(retrieved(requests, stream.until(4), Regime(), 8))
    hits = [np.isin(w, found).mean() for w, found in zip(requests.wanted, lists, strict=True)]
    assert {len(found) for found in lists} == {8}
    assert np.mean(hits) > 8 / len(stream.items)


@pytest.mark.parametrize("regime", ["fresh", "delayed 6h", "frozen", "paper"])
def test_what_is_found_and_known_does_not_depend_on_whether_earlier_periods_were_asked_about(regime: str) -> None:
    stream, known = shop(), Regime.parse(regime)

    def answers(log: Stream, period: int) -> tuple[list[list[int]], pl.DataFrame]:
        found = Questions(
            log.cases(period), log.until(period), known, RankingOptions(requests=20, candidates=8), period
        )
        lists = [one.tolist() for one in found.retrieved.lists]
        return lists, fact_table(found.retrieved.asked.stream(), known, similarity="tfidf")

    for period in (2, 3, 4):
        (lists, facts), (alone, own) = answers(stream, period), answers(replace(stream, shared={}), period)
        assert lists == alone and facts.equals(own)


@pytest.mark.parametrize("regime", ["fresh", "delayed 6h", "frozen", "paper"])
def test_the_retriever_does_not_see_what_lies_in_the_gap(regime: str) -> None:
    def found(sold_in_the_gap: str, gap: str) -> list[list[int]]:
        words = [f"p{n % 12}:i{(n * n + n // 7) % 9}+@{n}h" for n in range(100)]
        words += [f"guest{n}:{sold_in_the_gap}+@{100 + n}h" for n in range(20)]
        words += [f"p{n}:i{n % 9}+@{121 + n}h" for n in range(12)]
        periods = Periods(by="count", n=6, warm_up=60 / 132, gap=gap)
        stream = tiny_stream(" ".join(words), periods, label="implicit")
        assert stream.until(6).time[-1] < stream.cuts[5] - stream.gap
        requests = Requests.drawn(stream.cases(6), 100)
        return [one.tolist() for one in retrieved(requests, stream.until(6), Regime.parse(regime), 4)]

    assert found("i1", "22h") == found("i7", "22h")
    assert found("i1", "0s") != found("i7", "0s")


def test_pairs_limit_how_many_requests_rank_everything() -> None:
    stream = shop()
    found = Questions(stream.cases(3), stream.until(3), Regime(), RankingOptions(requests=30, pairs=100), 3)
    assert len(found.everything.lists) == 100 // len(stream.items)
    assert len(found.retrieved.lists) == 30


# -- what a run leaves -------------------------------------------------------------------------------


def test_every_cell_leaves_the_ranks_of_the_same_requests(finished: Arena) -> None:
    ranks = Results.load(finished.folder).ranks
    keys = ["update", "period", "among", "request", "item"]
    own = [ranks.filter(contender=name).select(keys).sort(keys) for name in ("popularity", "rates", "item-knn")]
    assert own[0].height and own[0].equals(own[1]) and own[0].equals(own[2])
    assert (ranks["period"] == ranks["update"] + 1).all()
    assert (
        ranks.filter(among="retrieved").group_by("contender", "request", "item").agg(pl.col("rank").is_finite()).height
        == own[0].filter(among="retrieved").height * 3
    )


def test_ranking_is_not_charged_and_moves_no_score(finished: Arena, tmp_path: Path) -> None:
    plain = Arena(configured(["rates"], requests=0), tmp_path / "run", shop())
    list(plain.run())
    assert not (plain.folder / "ranks.parquet").exists()
    with_lists, without = (pl.read_parquet(a.folder / "scores.parquet") for a in (finished, plain))
    assert with_lists.filter(contender="rates").equals(without)


def test_the_report_names_the_sampler_and_judges_by_lists_first(finished: Arena, tmp_path: Path) -> None:
    results = Results.load(finished.folder)
    summary = summarise(results, n_resamples=100)
    assert summary.lists is not None
    first, *_ = verdict(summary)
    assert first.startswith(f"Best at ranking: {summary.lists.ordered()[0]}, NDCG@10 ")
    sampler = "drawn per period from all items on offer, one per positive"
    assert sum(sampler in sentence for sentence in verdict(summary)) == 1
    table, page = markdown_table(summary), write_report(results, tmp_path / "r.html", summary=summary).read_text()
    assert all(head in table for head in list_head(summary)) and sampler in table
    assert "Ranked lists" in page and sampler in page
    rows = pl.read_csv(results_csv(summary, tmp_path / "r.csv"))
    assert rows["requests_retrieved"].to_list() == [summary.lists.requests] * 3
    assert rows["negatives"].str.contains(sampler).all()
    for name in summary.lists.ordered():
        place = summary.lists.places[name]["retrieved"]
        assert 0 <= place.ndcg.low <= place.ndcg.estimate <= place.ndcg.high <= 1


def test_the_ladder_is_climbed_by_lists_where_negatives_were_drawn(finished: Arena) -> None:
    summary = summarise(Results.load(finished.folder), n_resamples=100)
    assert (summary.judged_by, summary.measure) == ("ndcg", "NDCG@10")
    for step in summary.ladder:
        assert summary.worth(step.best) == summary.lists.places[step.best.name]["retrieved"].ndcg
        on_it = [s.name for s in summary.compared if s.rung == step.rung]
        assert step.best.name == next(name for name in summary.lists.ordered() if name in on_it)
        if step.below:
            assert step.paired.difference == summary.lists.minus(step.best.name, step.below.name)
    assert not any(" AUC " in sentence for sentence in verdict(summary)[:1])


def test_a_language_contender_reranks_the_first_requests(tmp_path: Path) -> None:
    config = configured(["never", "rates"], language=5, requests=10)
    arena = Arena(config.model_copy(update={"last_update": 2}), tmp_path / "run", shop(120))
    list(arena.run())
    ranks = Results.load(arena.folder).ranks
    own, classical = (ranks.filter(contender=name, among="retrieved") for name in ("never", "rates"))
    assert own["request"].n_unique() == 5
    assert set(own["request"]) < set(classical["request"]) and classical["request"].n_unique() == 10
    assert ranks.filter(contender="never", among="all").is_empty()


def test_a_cell_that_was_written_before_lists_were_ranked_is_worked_out_again(tmp_path: Path) -> None:
    config = configured(["rates"], requests=10)
    arena = Arena(config, tmp_path / "run", shop(120))
    list(arena.run())
    before = Results.load(arena.folder).ranks
    cell = arena.cells()[0]
    (cell.folder(arena.folder) / "lists.parquet").unlink()
    again = Arena(config, tmp_path / "run", shop(120))
    told: list[str] = []
    again.tell = told.append
    assert [renewal is not None for _, renewal in again.run()] == [True, False]
    assert len(told) == 1 and "was written before lists were ranked" in told[0]
    assert Results.load(arena.folder).ranks.equals(before)


def test_damaged_lists_are_named_and_worked_out_again(tmp_path: Path) -> None:
    arena = Arena(configured(["rates"], requests=10), tmp_path / "run", shop(120))
    list(arena.run())
    path = arena.cells()[0].folder(arena.folder) / "lists.parquet"
    path.write_bytes(b"no parquet")
    told: list[str] = []
    arena.tell = told.append
    list(arena.run())
    assert len(told) == 1 and told[0].startswith(f"{path}: cannot be read")
    assert pl.read_parquet(path).height


def test_a_log_with_dislikes_ranks_lists_on_request_and_wants_what_was_liked(tmp_path: Path) -> None:
    rows = " ".join(f"p{n % 9}:i{(n * n) % 13}{'+' if n % 3 else '-'}@{n}h" for n in range(200))
    stream = tiny_stream(rows, PERIODS)
    raw = configured(["rates", "popularity"], requests=20).model_dump()
    asked = ArenaConfig.parse({**raw, "data": {"path": "log.csv", "periods": PERIODS.model_dump()}})
    assert ArenaConfig.parse({"data": {"path": "log.csv"}}).lists is None
    arena = Arena(asked, tmp_path / "run", stream)
    list(arena.run())
    ranks = Results.load(arena.folder).ranks
    liked = set(stream.row_id[stream.happened & (stream.label == 1)].tolist())
    assert ranks.height and set(ranks["request"]) <= liked


def test_the_first_answer_of_a_plan_does_not_wait_for_facts_about_texts_of_pairs(tmp_path: Path) -> None:
    asked = Arena(configured(["popularity", "content"]), tmp_path / "run", shop())
    paces = Paces(asked)
    plan = plan_run(asked, paces=paces)
    assert plan.lists > 0 and paces.lists.text > 0
    assert plan.content > paces.content  # that is of the log alone; the pairs of its lists come to it
    assert plan.first_answer is not None and plan.classical_answer is not None
    assert plan.first_answer <= plan.classical_answer - plan.content
