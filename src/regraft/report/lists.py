"""The numbers of ranked lists: NDCG, recall and MRR of every contender, with intervals from resampled users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from regraft.metrics.intervals import Bootstrap, Difference, Interval, bootstrap_means
from regraft.metrics.ranking import of_each

RANKED: dict[str, Any] = {
    "period": pl.Int32,
    "among": pl.String,  # "all" or "retrieved"
    "request": pl.Int64,  # row id
    "user": pl.Int32,
    "item": pl.Int32,
    "rank": pl.Float64,  # infinity: the retriever did not find it
}
AMONG = ("retrieved", "all")


class Place(NamedTuple):
    """How one contender ranks among one kind of candidates."""

    ndcg: Interval  # n = requests
    recall: Interval
    mrr: Interval


@dataclass(frozen=True)
class Lists:
    """By contender: its place among the retrieved candidates, and among all where it ranked all."""

    k: int
    candidates: int
    retriever: str
    found: float  # share of the wanted items that the retriever found
    places: Mapping[str, Mapping[str, Place]]
    values: Mapping[str, pl.DataFrame]  # by contender: request, user, ndcg among the retrieved; mean over seeds
    n_resamples: int = 1000
    seed: int = 0

    @property
    def requests(self) -> int:
        """The most requests that a contender answered."""
        return max((place["retrieved"].ndcg.n for place in self.places.values() if "retrieved" in place), default=0)

    def ordered(self) -> list[str]:
        """Contenders by NDCG among the retrieved candidates, best first."""
        reranked = [name for name in self.places if "retrieved" in self.places[name]]
        return sorted(reranked, key=lambda name: -self.places[name]["retrieved"].ndcg.estimate)

    def minus(self, name: str, other: str) -> Difference:
        """NDCG of one minus the other's, among the retrieved candidates, on the requests that both answered."""
        both = self.values[name].join(self.values[other], on=["request", "user"], suffix="_other").sort("request")
        users = {"ndcg": both["user"].n_unique()}
        columns = {"a": both["ndcg"].to_numpy(), "b": both["ndcg_other"].to_numpy()}
        means = bootstrap_means(columns, both["user"].to_numpy(), self.n_resamples, self.seed)
        one, two = (
            Bootstrap({"ndcg": means.values[key]}, {"ndcg": both.height}, means.drawn_from, users) for key in "ab"
        )
        return one.minus(two, "ndcg")


def lists_of(
    ranks: pl.DataFrame, run: Mapping[str, Any], names: list[str], n_resamples: int = 1000, seed: int = 0
) -> Lists | None:
    """The lists of the compared contenders; None where nothing was ranked."""
    about = run.get("ranking")
    ranks = ranks.filter(pl.col("contender").is_in(names))
    if ranks.is_empty() or not about:
        return None
    k = int(about["k"])
    places: dict[str, dict[str, Place]] = {}
    values: dict[str, pl.DataFrame] = {}
    for (name, among), own in ranks.group_by("contender", "among", maintain_order=True):
        each = _each(own, k)
        means = bootstrap_means(
            {key: each[key].to_numpy() for key in Place._fields}, each["user"].to_numpy(), n_resamples, seed
        )
        places.setdefault(str(name), {})[str(among)] = Place(*(means.interval(key) for key in Place._fields))
        if among == "retrieved":
            values[str(name)] = each.select("request", "user", "ndcg")
    reranked = ranks.filter(pl.col("among") == "retrieved").unique(["period", "request", "item"])
    found = float(reranked["rank"].is_finite().mean()) if reranked.height else float("nan")  # type: ignore[arg-type]
    return Lists(k, int(about["candidates"]), str(about["retriever"]), found, places, values, n_resamples, seed)


def _each(ranks: pl.DataFrame, k: int) -> pl.DataFrame:
    """request, user, ndcg, recall, mrr: one row per request, averaged over seeds."""
    frames = []
    for _, own in ranks.group_by("seed", maintain_order=True):
        found = of_each(own["rank"].to_numpy(), k, own["request"].to_numpy())
        frames.append(pl.DataFrame({"request": found.case, **{n: getattr(found, n) for n in Place._fields}}))
    users = ranks.select("request", "user").unique()
    means = pl.concat(frames).group_by("request").agg(pl.col(Place._fields).mean())
    return means.join(users, on="request").sort("request")
