"""`regraft cache`: what was kept is shown and removed, all of it or one person's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.door import regraft
from lm.models import encoder_for, random_world, tiny_base
from regraft.lm.blend import Blend
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, CacheOptions, FitOptions
from regraft.lm.workshop import Workshop

VIEW = random_world(7, events=40)


def scored(folder: Path, seed: int = 0) -> Workshop:
    base = tiny_base(seed=seed)
    cache = CacheOptions(folder=str(folder))
    room = Workshop(base, encoder_for(base.tokenizer), AdapterOptions(rank=2, adapt=2), FitOptions(), cache=cache)
    ModelLab(room).score(Blend.of(None), VIEW)
    return room


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in (0, 1):
        scored(tmp_path / "runs", seed)
    return tmp_path


def told(at: Path) -> list[dict[str, object]]:
    heard = regraft("cache", "show", "runs", "--json", at=at)
    assert heard.code == 0, heard.err
    return list(json.loads(heard.out))


def test_show_says_what_each_cache_was_made_for(runs: Path) -> None:
    caches = told(runs)
    assert len({c["base"] for c in caches}) == 2
    assert {(c["kind"], c["from layer"], c["dtype"], c["regime"]) for c in caches} == {
        ("tokens", 2, "float32", "fresh")
    }
    assert all(c["count"] > 100 and c["size"] > 100 * 32 * 4 for c in caches)  # type: ignore[operator]
    heard = regraft("cache", "show", "runs", at=runs)
    assert "KiB" in heard.out and str(caches[0]["cache"]) in heard.out
    one = regraft("cache", "show", f"runs/{caches[0]['cache']}", "--json", at=runs)
    assert json.loads(one.out) == caches[:1]


def test_one_persons_states_go_and_the_others_are_still_read(runs: Path) -> None:
    user = VIEW.user_ids.to_list()[0]
    before = [c["count"] for c in told(runs)]
    heard = regraft("cache", "prune", "runs", "--user", user, at=runs)
    assert heard.code == 0, heard.err
    assert heard.out.startswith(f"{user}: ") and "0 parts" not in heard.out.replace("10 parts", "")
    assert all(0 < c["count"] < b for c, b in zip(told(runs), before, strict=True))  # type: ignore[operator]
    again = scored(runs / "runs")
    assert again.trunk is not None
    assert 0 < again.trunk.tokens < len(again.blocks(VIEW).tokens.data)
    assert "0 parts removed" in regraft("cache", "prune", "runs", "--user", "nobody", at=runs).out


def test_all_of_it_or_what_is_too_much_or_too_old_goes(runs: Path) -> None:
    assert "0 files removed" in regraft("cache", "prune", "runs", "--days", "1", at=runs).out
    assert len(told(runs)) == 2
    heard = regraft("cache", "prune", "runs", "--gib", "0.00012", at=runs)
    assert heard.out.startswith("1 files removed"), heard.out
    assert len(told(runs)) == 1
    assert regraft("cache", "prune", "runs", "--all", at=runs).code == 0
    assert regraft("cache", "show", "runs", at=runs).out == "runs holds nothing that was kept.\n"


def test_nothing_is_removed_without_a_word_about_what(runs: Path) -> None:
    heard = regraft("cache", "prune", "runs", at=runs)
    assert heard.code == 2
    assert "--days, --gib, --user or --all" in heard.err
    assert regraft("cache", "show", "elsewhere", at=runs).code == 2


def test_of_a_site_people_are_erased_not_pruned(runs: Path) -> None:
    (runs / "shop" / "cache").mkdir(parents=True)
    (runs / "shop" / "regraft.yaml").write_text("name: shop\n")
    (runs / "runs").rename(runs / "shop" / "cache" / "work")
    for cache in (runs / "shop" / "cache" / "work").glob("trunk-*"):
        cache.rename(runs / "shop" / "cache" / cache.name)
    caches = json.loads(regraft("cache", "show", "shop", "--json", at=runs).out)
    assert [c["kind"] for c in caches] == ["tokens", "tokens"]
    heard = regraft("cache", "prune", "shop", "--user", "u1", at=runs)
    assert heard.code == 2 and "regraft forget shop USER" in heard.err
