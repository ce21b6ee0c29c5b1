"""A version with one adapter is a folder that PEFT and vLLM read by its name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from arena.small_runs import LABEL, SMALL_BASE
from lm.models import plain_log_odds, separate_prompts
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE, load_key
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.blend import Blend
from regraft.release.adapter_files import BLEND, lay_adapter
from regraft.release.ingest import ingest
from regraft.release.init import first_close
from regraft.release.recovery import working
from regraft.setup.manifest import verify
from regraft.setup.site import DAY, Site
from regraft.setup.site_options import FILE
from regraft.state import versions
from regraft.state.database import transaction
from regraft.workbench import CONTENDER, Workbench
from site_world import SiteWorld


def adapter(seed: int, at_targets: bool = False) -> Adapter:
    rng = np.random.default_rng(seed)
    weights = {
        f"layers.0.q.lora_{kind}": rng.normal(size=size).astype(np.float32)
        for kind, size in (("A", (2, 4)), ("B", (4, 2)))
    }
    return Adapter(AdapterShape(2, 4.0, ("q",), at_targets=at_targets), weights)


@pytest.mark.parametrize(
    ("blend", "laid"),
    [
        (Blend.of(adapter(0)), True),
        (Blend.of(adapter(0), kept={"long": adapter(1)}), True),
        (Blend(((adapter(0), 0.5), (adapter(1), 0.5))), False),
        (Blend.of(adapter(0, at_targets=True)), False),
        (Blend.of(None), False),
    ],
    ids=["one", "one and a kept one", "two", "at targets alone", "none"],
)
def test_one_adapter_lies_in_the_folder_of_the_version_and_nothing_else_does(
    blend: Blend, laid: bool, tmp_path: Path
) -> None:
    blend.save(tmp_path / BLEND, "some/base")
    assert lay_adapter(tmp_path) == laid
    assert (tmp_path / "adapter_config.json").is_file() == laid
    if laid:
        served = blend.single()
        assert served is not None
        folder = tmp_path / BLEND / "adapters" / served.hash
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_classical_version_has_none(tmp_path: Path) -> None:
    (tmp_path / CONTENDER).mkdir()
    assert not lay_adapter(tmp_path)


@pytest.fixture
def nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose challenger tunes a small language model; two periods are closed."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "vault.key"))
    simulated = simulate(DriftWorld(users=60, items=30, periods=8, seed=1, taste_change_at=None))
    world = SiteWorld(tmp_path, simulated.interactions, simulated.items)
    options = {"name": "shop", "data": {"label": LABEL}, "challengers": [{"use": "fine-tune"}], **SMALL_BASE}
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / FILE).write_text(yaml.safe_dump(options))
    load_key(tmp_path / "shop", make=True)
    site = Site.open(tmp_path / "shop")
    end = int(simulated.interactions["timestamp"].dt.epoch("ms").max()) // DAY * DAY
    with working(site, "init") as held:
        ingest(site, world.write("log", world.rows), held)
        first_close(site, held, ([end - 4 * DAY, end - DAY], end))
    return site


def test_peft_loads_the_version_and_gives_the_scores_that_are_served(nano: Site) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    with transaction(nano.engine) as connection:
        (version,) = [v for v in versions.listed(connection) if v.contender == "fine-tune"]
        cuts = nano.cuts(connection)
    folder = nano.versions / version.name
    verify(folder, version.manifest)
    bench = Workbench(nano, nano.stream(cuts))
    cases = bench.stream.cases(2)
    contender = bench.of_version(nano.options.challengers[0], folder / CONTENDER)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    base = AutoModelForCausalLM.from_pretrained(config["base_model_name_or_path"]).eval()
    encoder = bench.workshop.encoder
    prompts = separate_prompts(cases, encoder)
    bare = plain_log_odds(base, prompts, encoder.answers.yes, encoder.answers.no)
    peft = PeftModel.from_pretrained(base, folder).eval()
    theirs = plain_log_odds(peft, prompts, encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(contender.score(cases), theirs, atol=1e-5)
    assert np.abs(bare - theirs).max() > 1e-3
