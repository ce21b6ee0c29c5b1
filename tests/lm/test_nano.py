"""The embedded base model: built from the warm-up alone, a plain Hugging Face directory afterwards."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm.models import encoder_for, plain_log_odds, random_world, separate_prompts
from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.lm import nano
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks
from regraft.lm.nano import build_nano, train_tokenizer
from regraft.lm.options import NanoOptions
from regraft.lm.score import score_blocks
from regraft.lm.tokenize import token_ids
from regraft.metrics.binary import auc
from regraft.prompts.facts import fact_table, rendered
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape
from regraft.setup.config import ArenaConfig
from worlds import tiny_stream

SMALL = NanoOptions(layers=1, width=32, heads=2, vocabulary=600, epochs=3, targets_per_step=64, lr=1e-2)
SHAPE = Shape(4, 8)
FACTS = Template.load("judge-timeline-facts")


@lru_cache
def world(language: str = "en") -> Stream:
    drawn = simulate(DriftWorld(users=90, items=40, periods=5, language=language))  # type: ignore[arg-type]
    return build_stream(drawn.interactions, drawn.items, 'event == "click"', Periods(by="time", n=3, warm_up=0.4))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nano") / "base"
    build_nano(folder, world().warm_up(), FACTS, SMALL, shape=SHAPE)
    return folder


# -- the directory -------------------------------------------------------------------------------------


def test_the_directory_loads_with_transformers_alone(built: Path):
    tokenizer, model = AutoTokenizer.from_pretrained(built), AutoModelForCausalLM.from_pretrained(built)
    ids = tokenizer("What one person thought", return_tensors="pt")["input_ids"]
    assert model(input_ids=ids).logits.shape == (1, ids.shape[1], len(tokenizer))
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (1, 32)
    assert 300 < len(tokenizer) <= 600


def test_the_base_scores_blocks_like_separate_prompts(built: Path):
    base, few = BaseModel.load(built), world().cases(1).only(np.arange(40))
    encoder = encoder_for(base.tokenizer, FACTS, shape=SHAPE, longest=base.longest)
    scores = score_blocks(base, encoder.answers, encoder.encode(few))
    expected = plain_log_odds(base.model, separate_prompts(few, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert base.objective == "labels"


def test_a_base_built_from_labels_knows_the_verdicts(tmp_path: Path):
    """Everybody likes a, b and c and nobody d, e and f: the periods hold nothing that the warm-up does not tell."""
    rng = np.random.default_rng(0)
    rows = [(rng.integers(12), "abcdef"[rng.integers(6)], at) for at in range(400)]
    log = " ".join(f"u{user}:{item}{'+' if item in 'abc' else '-'}@{at}" for user, item, at in rows)
    view, template = tiny_stream(log, Periods(by="time", n=2, warm_up=0.7)), Template.load("judge-timeline")
    options = SMALL.model_copy(update={"targets_per_step": 16, "epochs": 4})
    build_nano(tmp_path / "base", view.warm_up(), template, options, shape=SHAPE)
    base, test = BaseModel.load(tmp_path / "base"), view.cases(1)
    encoder = encoder_for(base.tokenizer, template, shape=SHAPE)
    assert auc(test.labels, score_blocks(base, encoder.answers, encoder.encode(test))) > 0.95


def test_the_lineage_tells_what_it_was_built_from(built: Path):
    lineage, warm_up = json.loads((built / "lineage.json").read_text()), world().warm_up()
    assert lineage["data"] == warm_up.fingerprint
    assert lineage["examples"] == len(warm_up)
    assert lineage["ends_before"] == world().cuts[0] > int(warm_up.time.max())
    assert lineage["template"] == FACTS.hash
    assert lineage["timeline"] == [4, 8]
    assert len(lineage["stop_losses"]) == 3
    assert lineage["cost"]["tokens_backward"] > 0
    assert [p.name for p in built.parent.iterdir()] == ["base"]


def test_the_same_settings_build_the_same_base_and_another_seed_another(tmp_path: Path):
    quick, warm_up = SMALL.model_copy(update={"epochs": 1}), world().warm_up()
    names = []
    for number, seed in enumerate((0, 0, 1)):
        build_nano(tmp_path / str(number), warm_up, FACTS, quick.model_copy(update={"seed": seed}), shape=SHAPE)
        names.append(BaseModel.load(tmp_path / str(number)).hash)
    assert names[0] == names[1] != names[2]


def test_too_few_warm_up_rows_are_an_error(tmp_path: Path):
    warm_up = random_world(1, periods=Periods(by="time", n=2, warm_up=0.5)).warm_up()
    with pytest.raises(DataError) as error:
        build_nano(tmp_path / "base", warm_up, FACTS, SMALL, more_history=ArenaConfig.more_history)
    assert str(error.value) == (
        f"base build: the stream has {len(warm_up)} warm-up rows\n"
        "Expected a log with warm-up rows to learn from (at least 50)\n"
        "Set periods.warm_up (for example 0.3), or information: full for a preset"
    )
    assert list(tmp_path.iterdir()) == []


# -- interruptions -------------------------------------------------------------------------------------


def test_a_killed_build_goes_on_and_a_build_with_other_settings_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    quick, warm_up = SMALL.model_copy(update={"epochs": 1}), world().warm_up()
    other = quick.model_copy(update={"width": 48})
    monkeypatch.setattr(nano, "FitOptions", lambda **given: FIT_OPTIONS(**given, checkpoint_seconds=1e-9))
    steps: list[int] = []

    def killed(done: int, total: int, left: float) -> None:
        steps.append(done)
        if done == 3 and len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_nano(tmp_path / "base", warm_up, FACTS, quick, shape=SHAPE, progress=killed)
    left = [p.name for p in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".base.")
    assert left[0].endswith(".checkpoint")
    build_nano(tmp_path / "elsewhere", warm_up, FACTS, other, shape=SHAPE, progress=killed)
    assert steps[3] == 1
    steps.clear()
    build_nano(tmp_path / "base", warm_up, FACTS, quick, shape=SHAPE, progress=lambda done, *_: steps.append(done))
    assert steps[0] == 4
    build_nano(tmp_path / "unbroken", warm_up, FACTS, quick, shape=SHAPE)
    assert BaseModel.load(tmp_path / "base").hash == BaseModel.load(tmp_path / "unbroken").hash
    assert {p.name for p in tmp_path.iterdir()} == {"base", "elsewhere", "unbroken"}


FIT_OPTIONS = nano.FitOptions


def test_a_build_with_other_settings_into_the_same_folder_starts_anew_and_tidies_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    quick, warm_up = SMALL.model_copy(update={"epochs": 1}), world().warm_up()
    monkeypatch.setattr(nano, "FitOptions", lambda **given: FIT_OPTIONS(**given, checkpoint_seconds=1e-9))

    def killed(done: int, total: int, left: float) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_nano(tmp_path / "base", warm_up, FACTS, quick, shape=SHAPE, progress=killed)
    other, steps = quick.model_copy(update={"width": 48}), []
    build_nano(tmp_path / "base", warm_up, FACTS, other, shape=SHAPE, progress=lambda done, *_: steps.append(done))
    assert steps[0] == 1
    assert BaseModel.load(tmp_path / "base").config.hidden_size == 48
    assert [p.name for p in tmp_path.iterdir()] == ["base"]


# -- the objective `text` ------------------------------------------------------------------------------


def test_text_never_sees_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[Blocks] = []
    train = nano.train

    def watching(objective: nano.Text, *given: object, **more: object) -> object:
        seen.append(objective.blocks)
        return train(objective, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(nano, "train", watching)
    warm_up = world().warm_up()
    build_nano(tmp_path / "base", warm_up, FACTS, SMALL.model_copy(update={"objective": "text"}), shape=SHAPE)
    base = BaseModel.load(tmp_path / "base")
    [blocks] = seen
    answers = encoder_for(base.tokenizer, FACTS).answers
    verdicts = {answers.yes, answers.no}
    assert not verdicts & set(blocks.tokens.data.tolist())
    assert not (blocks.segment.any() or blocks.label.any())
    events = int(warm_up.happened.sum())
    whole = encoder_for(base.tokenizer, FACTS, shape=SHAPE).events(warm_up, np.arange(events))
    assert len(blocks.tokens.data) == len(whole.data)
    assert base.objective == "text"


def test_text_learns_to_read(tmp_path: Path):
    losses = []
    for epochs in (1, 4):
        options = SMALL.model_copy(update={"objective": "text", "epochs": epochs})
        build_nano(tmp_path / str(epochs), world().warm_up(), FACTS, options, shape=SHAPE)
        base = BaseModel.load(tmp_path / str(epochs))
        encoder = encoder_for(base.tokenizer, FACTS, shape=SHAPE)
        events = encoder.events(world(), world().cases(1).targets[:200])
        with torch.no_grad():
            rows = [torch.from_numpy(events[n].astype(np.int64))[None] for n in range(len(events))]
            losses.append(np.mean([float(base.model(input_ids=ids, labels=ids).loss) for ids in rows]))
    assert losses[1] < losses[0] < np.log(600)


# -- the tokenizer -------------------------------------------------------------------------------------


def test_popular_titles_facts_and_answers_are_one_or_two_tokens():
    warm_up = world().warm_up()
    tokenizer = train_tokenizer(warm_up, FACTS, 600, Regime(), "event")
    counts = np.bincount(warm_up.item[warm_up.targets], minlength=len(warm_up.items))
    popular = warm_up.items["title"].gather(np.argsort(-counts)[:5])
    assert {len(token_ids(tokenizer, title)) for title in popular} <= {1, 2}
    facts = rendered(fact_table(warm_up, Regime()), FACTS.facts)
    for name in FACTS.facts:
        assert {len(token_ids(tokenizer, f" {text}")) for text in facts[name].unique()} == {1}
    answers = encoder_for(tokenizer, FACTS).answers
    assert {len(spoken) for spoken in answers.spoken} == {1}


@pytest.mark.parametrize(
    "text", ["夜と霧", "naïve café", "a\tb  c", "🎬 film", " 100 +5 2k", "<|end|>", "\x00\x7f", "´´"]
)
def test_any_text_comes_back_from_its_tokens(text: str):
    tokenizer = train_tokenizer(world().warm_up(), FACTS, 400, Regime(), "event")
    assert tokenizer.decode(token_ids(tokenizer, text)) == text
    assert tokenizer.eos_token_id not in token_ids(tokenizer, text)


def test_the_japanese_template_comes_back_from_its_tokens():
    template, view = Template.load("judge-timeline-ja"), world("ja")
    tokenizer = train_tokenizer(view.warm_up(), template, 600, Regime(), "event")
    encoder = encoder_for(tokenizer, template, shape=SHAPE)
    assert tokenizer.decode([*encoder.answers.shared, *encoder.answers.spoken[1]]) == " はい\n"
    assert tokenizer.decode([*encoder.answers.shared, *encoder.answers.spoken[0]]) == " いいえ\n"
    last = view.only(np.array([-1]))
    prompt = tokenizer.decode(separate_prompts(last, encoder)[0])
    assert prompt.startswith(template.head)
    title = view.items["title"][int(view.item[view.targets[-1]])]
    assert prompt.rstrip().rsplit("\n", 1)[-1].startswith(title)
