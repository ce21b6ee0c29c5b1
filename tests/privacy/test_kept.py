"""Kept states and scores know whose they are: a person's are found, and taken away with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lm.models import encoder_for, random_world, tiny_base
from privacy.test_forget import uid_of
from regraft.cost import Cost
from regraft.lm.blend import Blend
from regraft.lm.kept_files import KEPT, forget_owner, held, within
from regraft.lm.kept_scores import KeptScores
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.owner import owner_of
from regraft.lm.trunk.trunk_store import TrunkStore
from regraft.lm.workshop import Workshop
from regraft.privacy.forget import forget
from regraft.privacy.scan import scan
from regraft.setup.site_options import FILE
from site_world import SiteWorld

VIEW = random_world(7, events=40)


def test_rows_of_one_person_are_taken_out_and_those_of_others_cost_what_they_did() -> None:
    mine, others = owner_of("a"), owner_of("b")
    owners = np.stack([mine, others, mine, others])
    kept = KeptScores().with_rows(np.arange(4), np.arange(4.0), Cost(tokens_forward=40), owners)
    left = kept.without(mine)
    assert (left.rows.tolist(), left.scores.tolist()) == ([1, 3], [1.0, 3.0])
    assert left.cost(np.array([1])) == kept.cost(np.array([1])) == Cost(tokens_forward=10)


def test_a_person_is_taken_out_of_a_run_with_all_fits_and_the_others_are_still_read(tmp_path: Path) -> None:
    base = tiny_base()
    fit, encoder = FitOptions(epochs=1), encoder_for(base.tokenizer)
    shop = Workshop(base, encoder, AdapterOptions(rank=2), fit, tmp_path / KEPT, keeps_states=True)
    lab = ModelLab(shop)
    lab.score(Blend.of(None), VIEW)
    lab.fit(VIEW)
    (place,) = within(tmp_path)
    before = {one.kind: one.count for one in held(place)}
    assert before == {"scores": len(VIEW), "states": len(VIEW), "fits": 1}
    user = VIEW.user_ids.to_list()[0]
    own = int((VIEW.users == 0).sum())
    assert own and forget_owner(place, owner_of(user)) == (2 * own, 1)
    assert {one.kind: one.count for one in held(place)} == {"scores": len(VIEW) - own, "states": len(VIEW) - own}
    assert owner_of(user).tobytes() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*.npz"))
    assert forget_owner(place, owner_of(user)) == (0, 0)


@pytest.mark.slow
def test_states_in_a_folder_that_a_site_shares_with_others_are_found_and_erased(
    world: SiteWorld, tmp_path: Path
) -> None:
    shared = tmp_path / "states"
    path = world.site.folder / FILE
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"cache": {"folder": str(shared)}}))
    uid = uid_of(world.site, "u003")
    store = TrunkStore(shared / "trunk-1", 4, torch.float32, 2**20, {"width": 4, "dtype": "float32"})
    owners = np.stack([owner_of(uid), owner_of("of another site")])
    store.put(np.arange(4, dtype=np.uint64).reshape(2, 2), owners, np.array([3, 3]), torch.ones(6, 4), 0.1)
    store.flush()
    assert scan(world.site, [uid])["cache"] == 1
    forget(world.site, ["u003"])
    assert scan(world.site, [uid])["cache"] == 0
    (found,) = held(*within(shared))
    assert found.count == 3


@pytest.mark.parametrize("name", ["notes.npz", "my-fit"])
def test_what_others_put_there_stays(tmp_path: Path, name: str) -> None:
    for kind in ("scores", "fits"):
        (tmp_path / KEPT / kind).mkdir(parents=True)
        (tmp_path / KEPT / kind / name).write_text("mine")
    forget_owner(tmp_path / KEPT, owner_of("u"))
    assert within(tmp_path) == []
    assert len(list(tmp_path.rglob(name))) == 2
