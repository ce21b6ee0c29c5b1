"""From the `data:` section of a configuration to a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.source import DataOptions, of_share, open_stream, read
from regraft.errors import ConfigError, RegraftError
from worlds import tiny_stream

WORLD = {"users": 30, "items": 12, "periods": 4, "seed": 1}
LABEL = 'event == "click"'


def test_a_drift_world_is_simulated_labelled_and_cut() -> None:
    found = open_stream(DataOptions(drift_world=WORLD, label=LABEL, periods=Periods(n=3)))
    world = simulate(DriftWorld(**WORLD))  # type: ignore[arg-type]
    expected = build_stream(world.interactions, world.items, LABEL, Periods(n=3))
    assert (found.name, found.fingerprint) == ("drift-world", expected.fingerprint)


def test_a_file_is_read_by_the_reader_that_knows_it_and_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::7::5::978300760\n2::7::1::978300761\n1::8::4::978400000\n")
    options = DataOptions(path=tmp_path / "ratings.dat", periods=Periods(by="calendar", every="1d"))
    interactions, items = read(options)
    assert interactions["user_id"].to_list() == ["1", "2", "1"]
    stream = open_stream(options)
    assert (stream.name, stream.labels.tolist()) == ("ratings", [1, 0, 1])
    assert stream.items["title"].to_list() == items["title"].to_list() == ["item 7", "item 8"]


def test_cuts_found_before_stay_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "ratings.dat"
    lines = [f"{n % 3}::{n % 4}::{1 + 4 * (n % 2)}::{978300000 + 3600 * n}\n" for n in range(60)]
    path.write_text("".join(lines[:40]))
    options = DataOptions(path=path, periods=Periods(n=4, warm_up=0.3))
    short = open_stream(options)
    path.write_text("".join(lines))
    long = open_stream(options, short.frozen)
    assert long.cuts[:4] == short.cuts[:4]
    assert long.until(4).fingerprint == short.until(4).fingerprint
    assert open_stream(options).cuts != long.cuts


@pytest.mark.parametrize("given", [{}, {"path": "log.csv", "drift_world": WORLD}])
def test_there_is_exactly_one_source(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="data: needs exactly one of path and drift_world"):
        DataOptions(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"label": "liked"}, {"drift_world": {"planets": 9}}, {"share": 0.0}, {"negatives": 0}, {"colour": "red"}]
)
def test_settings_that_mean_nothing_are_refused_before_anything_is_read(wrong: dict[str, object]) -> None:
    with pytest.raises((RegraftError, ValidationError)):
        DataOptions(**({"drift_world": WORLD} | wrong))  # type: ignore[arg-type]


# -- a share of the users ---------------------------------------------------------------------------

MANY = tiny_stream(" ".join(f"u{n}:i{n % 7}{'+' if n % 3 else '-'}@{n}" for n in range(1000)))


def test_a_share_takes_examples_and_leaves_history() -> None:
    part = of_share(MANY, 0.3)
    assert abs(len(part) - 300) < 60
    assert len(part.time) == 1000


def test_a_larger_share_holds_the_smaller_one_and_another_seed_takes_others() -> None:
    few, many = (set(of_share(MANY, share).ids.tolist()) for share in (0.2, 0.4))
    assert few < many
    assert len(few & set(of_share(MANY, 0.2, seed=1).ids.tolist())) < 0.4 * len(few)


def test_users_who_join_or_leave_change_nobody_elses_share() -> None:
    left = tiny_stream(" ".join(f"u{n}:i{n % 7}{'+' if n % 3 else '-'}@{n}" for n in range(1000) if n % 5))
    names = [set(s.user_ids.gather(of_share(s, 0.3).users).to_list()) for s in (MANY, left)]
    assert names[1] == {u for u in names[0] if int(u[1:]) % 5}


def test_the_share_of_the_options_is_taken(tmp_path: Path) -> None:
    options = DataOptions(drift_world=WORLD, label=LABEL, periods=Periods(n=3))
    whole, part = open_stream(options), open_stream(options.model_copy(update={"share": 0.5}))
    assert 0 < len(part) < len(whole)
    assert np.isin(part.ids, whole.ids).all()
    assert part.hashes == whole.hashes and part.frozen == whole.frozen
