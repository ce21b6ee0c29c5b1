"""The benchmarks run on a tiny drift world, and what they print is computed right."""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

BENCH = Path(__file__).resolve().parent.parent / "bench"
COLUMNS = ["measure", "peer", "ours", "theirs", "ratio", "target", "n", "machine"]
STEADY = (50.0, 50.0)


@pytest.fixture(scope="module")
def bench() -> Any:
    """Imports a benchmark by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        yield lambda name: __import__(name)
    ours = {path.stem for path in BENCH.glob("*.py")}
    for name in ours & set(sys.modules):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def stream() -> Stream:
    world = simulate(DriftWorld(users=60, items=80, periods=4, visits=2.0))
    periods = Periods(by="time", n=4, warm_up=0.4)
    return build_stream(world.interactions, world.items, 'event == "click"', periods, name="drift-world")


@pytest.fixture(scope="module")
def small(bench: Any, stream: Stream) -> tuple[Any, Any]:
    """(model, tokenizer): two narrow layers with random weights."""
    return narrow_model(bench, stream, 2)


def narrow_model(bench: Any, stream: Stream, layers: int) -> tuple[Any, Any]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    templates = [t for layout in bench("layouts").layouts() for t in (layout.timeline, layout.published)]
    tokenizer = bench("bases").fair_tokenizer(stream.warm_up(), templates, 1500)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), tokenizer


def page(common: ModuleType, quick: bool = False) -> Any:
    return common.Page("bench-test", "Test", "What.", ["How."], ["Caveat."], quick)


def test_a_ratio_above_one_is_always_better_for_ours(bench: Any) -> None:
    common = bench("common")
    assert common.Row("s", "peer", ours=2.0, theirs=6.0, n=1).ratio == 3.0
    assert common.Row("AUC", "peer", ours=0.8, theirs=0.4, n=1, more_is_better=True).ratio == 2.0
    assert common.Row("s", "peer", ours=None, theirs=6.0, n=1).ratio is None


def test_a_target_is_met_at_exactly_its_ratio_and_missed_below(bench: Any) -> None:
    row = bench("common").Row
    assert row("s", "peer", 1.0, 7.0, 1, target=7.0).verdict() == "met"
    assert row("s", "peer", 1.0, 6.9, 1, target=7.0).verdict() == "missed"
    assert row("s", "peer", 1.0, 6.9, 1).verdict() == ""


def test_no_target_is_judged_on_an_unsteady_machine_or_in_a_quick_run(bench: Any) -> None:
    common = bench("common")
    assert page(common).doubt((50.0, 52.0)) == ""
    assert page(common).doubt((50.0, 80.0)) == "unsteady"
    assert page(common, quick=True).doubt(STEADY) == "quick run"
    assert "| unsteady |" in common.markdown([common.Row("s", "peer", 1.0, 9.0, 1, target=7.0)], ["unsteady"])[-1]


def test_rows_with_probes_of_their_own_are_judged_by_them(bench: Any, tmp_path: Path) -> None:
    common = bench("common")
    still, moved = (common.Row(name, "peer", 1.0, 9.0, 1, target=7.0, probes=probes)
                    for name, probes in (("still", STEADY), ("moved", (50.0, 80.0))))  # fmt: skip
    common.write(page(common), [still, moved], (50.0, 80.0), tmp_path)
    lines = (tmp_path / "bench-test.md").read_text().splitlines()
    assert [line.split(" | ")[-2].strip() for line in lines if line.startswith(("| still", "| moved"))] == [
        "met",
        "unsteady",
    ]
    assert "- **met**: still, against peer: 9x, target 7x." in lines


def test_a_target_in_counted_tokens_is_judged_whatever_the_machine_did(bench: Any) -> None:
    row = bench("common").Row("tokens", "peer", 1.0, 3.9, 1, target=7.0, exact=True)
    assert row.verdict("unsteady") == "missed"


def test_sides_alternate_and_medians_are_taken(bench: Any) -> None:
    common, order = bench("common"), []

    def side(name: str, walls: list[float]) -> Any:
        def run() -> Any:
            order.append(name)
            return common.Taken(walls.pop(0), 1.0)

        return run

    found = common.alternating({"a": side("a", [9.0, 1.0, 2.0]), "b": side("b", [5.0, 5.0, 5.0])}, 3)
    assert "".join(order) == "abbaab"
    assert found["a"].wall == 2.0


def test_the_table_has_the_agreed_columns(bench: Any, tmp_path: Path) -> None:
    common = bench("common")
    rows = [common.Row("wall s", "peer", 0.5, 4.0, 1234, target=8.0), common.Row("AUC", "peer", None, None, 0)]
    common.write(page(common), rows, STEADY, tmp_path)
    with (tmp_path / "bench-test.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == COLUMNS
    assert [table[0][c] for c in COLUMNS[:7]] == ["wall s", "peer", "0.5", "4", "8", "8", "1234"]
    assert "cores" in table[0]["machine"]
    assert (table[1]["ours"], table[1]["ratio"], table[1]["target"]) == ("not measured", "not measured", "")
    assert "- **met**: wall s, against peer: 8x, target 8x." in (tmp_path / "bench-test.md").read_text(encoding="utf-8")


def test_a_page_says_what_was_typed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    common = bench("common")
    monkeypatch.setattr(
        "sys.argv", ["bench/bench_test.py", "--base", "/far/away/model", "--out", "/tmp/x", "--users", "1"]
    )
    assert common._command(page(common)) == "python bench/bench_test.py --base model --users 1"
    monkeypatch.setattr("sys.argv", ["pytest", "-q"])
    assert common._command(page(common)) == "python bench/bench_test.py"


def test_targets_are_gathered_from_all_tables(bench: Any, tmp_path: Path) -> None:
    common = bench("common")
    rows = [
        common.Row("fast", "peer", 0.5, 4.0, 1, target=8.0), common.Row("slow", "peer", 1.0, 4.0, 1, target=8.0),
        common.Row("absent", "peer", None, None, 0, target=2.0), common.Row("without", "peer", 1.0, 2.0, 1),
    ]  # fmt: skip
    common.write(page(common), rows, STEADY, tmp_path)
    fast, slow, absent = bench("targets").rows(tmp_path)
    assert fast == "| fast | peer | 8 | >= 8 | met | [bench-test](bench-test.md) |"
    assert "| 4 | >= 8 | **missed** |" in slow
    assert "not measured" in absent


def test_absent_data_end_a_script_with_the_place_that_was_searched(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGRAFT_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"ml-1m\.zip is not in .*\n.*Set REGRAFT_DATA"):
        bench("common").data_file("ml-1m.zip")


def test_a_study_finds_its_data_and_its_base_model_in_the_folders_of_the_environment(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGRAFT_DATA", str(tmp_path))
    monkeypatch.setenv("REGRAFT_MODELS", str(tmp_path))
    (tmp_path / "log.csv").touch()
    (tmp_path / "small").mkdir()
    study = tmp_path / "study.yaml"
    study.write_text("data: {path: log.csv}\nbase: {path: small}\n")
    config = bench("study").read(study)
    assert (config.data.path, config.base.path) == (tmp_path / "log.csv", str(tmp_path / "small"))
    study.write_text("data: {path: log.csv}\nbase: {path: org/hub-model}\n")
    assert bench("study").read(study).base.path == "org/hub-model"
    monkeypatch.setattr(bench("common"), "ROOT", tmp_path / "repository")
    (tmp_path / "repository" / "models" / "brought").mkdir(parents=True)
    assert bench("common").model_folder("brought") == tmp_path / "repository" / "models" / "brought"
    study.write_text("data: {path: gone.csv}\n")
    with pytest.raises(SystemExit, match=r"gone\.csv is not in .*\n.*Set REGRAFT_DATA"):
        bench("study").read(study)


def test_the_fair_tokenizer_merges_the_fixed_texts_of_every_template(bench: Any, small: tuple[Any, Any]) -> None:
    _, tokenizer = small
    for name in ("judge-tallrec", "judge-timeline"):
        for text in bench("bases").fixed_texts(Template.load(name)):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert len(ids) <= 1 + len(text) / 24, text
            assert tokenizer.decode(ids) == text


def test_tokens_and_seconds_are_measured_for_every_layout(
    bench: Any, stream: Stream, small: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = bench("bench_tokens")
    monkeypatch.setattr(tokens, "STEP", 32)
    compared = [layout for layout in bench("layouts").layouts() if layout.shape == Shape(10, 10)]
    rows, words = tokens.measure(stream, *small, compared, 1, 1, targets=40, tested=40, judged=None)
    assert len(words) == len(compared) == 3
    peers = [row.peer for row in rows if row.measure == "wall s per target, title, W=10 H=10"]
    assert peers == [tokens.HF, tokens.ANSWER, tokens.LOOP]
    whole = len(stream.cases(1))
    for layout in compared:
        found = {row.measure: row for row in rows if row.peer == tokens.HF}
        all_, items, rest = (
            found[f"{name}, {layout.words}"]
            for name in ("tokens per target", "- of titles and genres", "- of all else")
        )
        assert all_.n == whole
        assert all_.ratio == all_.theirs / all_.ours > 1
        assert items.ours + rest.ours == pytest.approx(all_.ours)
        assert items.theirs + rest.theirs == pytest.approx(all_.theirs)
    assert [row.target for row in rows if row.measure == "tokens per target, title, W=10 H=10"] == [7.0]
    assert not [row for row in rows if row.measure.startswith("AUC")]


def test_events_read_per_target_are_counted_one_by_one(bench: Any, stream: Stream, small: tuple[Any, Any]) -> None:
    told = bench("layouts")
    layout, view = told.layouts()[0], stream.cases(1)
    material = told.tokenised(layout, view, small[1], 2048)
    known = view.order.known(view.users, np.searchsorted(view.time, view.time[view.targets], side="left"))
    assert material.item_texts[1] == int(np.minimum(known, layout.shape.context).sum()) + len(view)


def test_both_sides_train_the_same_modules_and_their_auc_is_of_all_tested_targets(
    bench: Any, stream: Stream, small: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = bench("bench_tokens")
    monkeypatch.setattr(tokens, "STEP", 32)
    layout, view = bench("layouts").layouts()[0], tokens.some_users(stream.cases(1), 40)
    last = tokens.learnt(layout, view, *small)
    moved = []
    for side in ("ours", tokens.HF):
        base = last[side].base
        # Our adapters lie beside the model, those of PEFT inside it.
        parameters = dict(base.slots.default.weights if side == "ours" else base.model.named_parameters())
        b = {name.split(".lora_B")[0]: p for name, p in parameters.items() if "lora_B" in name}
        assert all(float(p.detach().abs().max()) > 0 for p in b.values())
        moved.append(sorted(b))
    assert moved[0] == moved[1]
    row = tokens.auc_row(layout, stream.cases(2), small[1], last)
    assert row.n == len(stream.cases(2))
    assert 0 < row.ours < 1 and 0 < row.theirs < 1
    assert row.ratio == row.ours / row.theirs


def test_a_request_holds_the_asked_history_and_candidates_the_user_has_not_judged(bench: Any, stream: Stream) -> None:
    candidates = bench("bench_candidates")
    for view in candidates.requests(stream, users=2, size=12, history=10):
        user = int(view.users[0])
        assert len(view) == 12 and not view.happened[view.targets].any()
        assert not np.isin(view.item[view.targets], stream.item[stream.user == user]).any()
        assert len(view.order.rows) == len(stream.order.rows)


def test_candidates_are_scored_alike_and_their_tokens_counted(
    bench: Any, stream: Stream, small: tuple[Any, Any]
) -> None:
    candidates = bench("bench_candidates")
    template = Template.load("judge-timeline")
    rows, words = candidates.measure(
        stream, *small, template, 1, users=2, sizes=(12,), history=10, chunks=(32, 512)
    )  # fmt: skip
    assert "Largest difference" in words[0]
    found = {(row.measure.split(",")[0], row.peer): row for row in rows if "chunks" not in row.measure}
    read = found["tokens read per request", candidates.LAST]
    assert read.ratio == read.theirs / read.ours > 1
    assert {peer for _, peer in found} == {candidates.LAST, *candidates.OTHERS}
    assert [row.measure.split("chunks of ")[1] for row in rows if "chunks" in row.measure] == [
        "512 tokens (default)",
        "32 tokens",
    ]


def test_scores_that_differ_are_not_compared(
    bench: Any, stream: Stream, small: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = bench("bench_candidates")
    right = candidates.score_copied
    monkeypatch.setattr(candidates, "score_copied", lambda *args: right(*args) + 1e-3)
    with pytest.raises(SystemExit, match="nothing is compared"):
        candidates.measure(
            stream, *small, Template.load("judge-timeline"), 1, users=1, sizes=(5,), history=5, chunks=()
        )


def test_every_side_reads_the_same_rows_in_a_process_of_its_own(bench: Any, tmp_path: Path) -> None:
    reading = bench("bench_reading")
    path = tmp_path / "ml-1m.zip"
    ratings = "".join(f"{1 + i % 7}::{1 + i % 11}::{1 + i % 5}::{978300000 + i}\n" for i in range(200))
    movies = "".join(f"{1 + i}::Film {i} (1999)::Drama|Comedy\n" for i in range(11))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml-1m/ratings.dat", ratings.encode("iso-8859-1"))
        archive.writestr("ml-1m/movies.dat", movies.encode("iso-8859-1"))
    rows, n = reading.measure(path, 1)
    assert n == 200
    assert [row.peer for row in rows if row.target is not None] == [reading.PYTHON]
    assert all(row.ours > 0 and row.theirs > 0 and row.n == 200 for row in rows)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="VmHWM is a Linux figure")
def test_peak_memory_does_not_include_the_parents() -> None:
    # ru_maxrss of a child is at least what its parent used: this one holds 300 MiB when it starts the child.
    child = f"import sys; sys.path.insert(0, {str(BENCH)!r}); import bench_reading; print(bench_reading.peak_mib())"
    parent = (
        "import subprocess, sys\nheld = b'x' * (300 * 2**20)\n"
        f"print(subprocess.run([sys.executable, '-c', {child!r}], capture_output=True, text=True, check=True).stdout)"
    )
    answer = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 0 < float(answer.stdout) < 100


# -- renewal, serving and the k curve --------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep(bench: Any, stream: Stream) -> tuple[Any, Any]:
    """(model, tokenizer): eight narrow layers with random weights, so that a quarter of them is a top."""
    return narrow_model(bench, stream, 8)


def test_a_renewal_is_timed_with_nothing_and_with_everything_kept(
    bench: Any, stream: Stream, deep: tuple[Any, Any]
) -> None:
    renewal, tokens = bench("bench_renewal"), bench("bench_tokens")
    case = renewal.Case("drift-world", bench("layouts").layouts()[0], (1.0, 1.0, None))
    view = tokens.some_users(stream.cases(3), 30)
    test = tokens.some_users(stream.cases(4), 30, 1)
    rows, words = renewal.rows_of(case, view, test, *deep, times=1)
    assert len(rows) == 6
    assert all(row.ours > 0 and row.theirs > 0 for row in rows)
    assert {row.n for row in rows if "AUC" not in row.measure} == {len(view)}
    assert [row.target for row in rows[:3]] == [1.0, 1.0, None]
    assert "tokens per target" in words


def test_the_share_of_the_bound_is_below_one(bench: Any, stream: Stream, deep: tuple[Any, Any]) -> None:
    renewal, tokens = bench("bench_renewal"), bench("bench_tokens")
    case = renewal.Case("drift-world", bench("layouts").layouts()[0], (None, None, None))
    row = bench("renewal_limits").bound_row(case, tokens.some_users(stream.cases(3), 30), *deep, times=1)
    assert 0 < row.ratio < 1
    assert row.more_is_better


def test_our_blocks_are_given_to_another_trainer_with_their_verdicts_as_the_only_labels(
    bench: Any, stream: Stream, deep: tuple[Any, Any]
) -> None:
    renewal, tokens = bench("renewal_trl"), bench("bench_tokens")
    case = renewal.Case("drift-world", bench("layouts").layouts()[0], (None, None, None))
    view = tokens.some_users(stream.cases(3), 30)
    row, *effect = renewal.layout_rows(case, view, stream.cases(4), *deep, times=1)
    assert all(0 < auc_row.ours < 1 and 0 < auc_row.theirs < 1 for auc_row in effect)
    assert row.target == 1.3 and 0 < row.n <= len(view)
    in_line = view.only(renewal.lay_out(view, renewal.Regime(), case.layout.shape).in_line)
    material = bench("layouts").tokenised(case.layout, in_line, deep[1], 2048)
    answers = {ids[0] for ids in material.answers[0].spoken}
    sequences = renewal.in_line(material.ours)
    labels = [label for sequence in sequences for label in sequence["labels"] if label != -100]
    assert set(labels) <= answers and len(labels) == row.n
    assert all(len(s["input_ids"]) == len(s["labels"]) for s in sequences)


def test_requests_are_answered_alike_cold_warm_and_appended(bench: Any, stream: Stream, deep: tuple[Any, Any]) -> None:
    import torch

    serving = bench("bench_serving")
    made = serving.Bench(stream, *deep, users=2, history=4, candidates=12)
    rows, words = serving.measure(made, 1, torch.float32, None)
    assert [row.target for row in rows] == [15.0, 20.0, 2.0, None, 1 / 1.4, 10.0]
    assert all(row.ours > 0 and row.theirs > 0 for row in rows)
    assert "MiB" in words[0] and "Largest difference" in words[1]
    blocks = made.blocks[0]
    assert np.abs(made.score(blocks) - made.score(blocks, made.warm)).max() < 1e-4
    one, two = made.ensemble(0, made.adapters)
    assert np.abs(one - two).max() > 1e-6


def test_llama_cpp_scores_the_same_candidates(bench: Any, stream: Stream, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: it is built from source")
    import torch

    from lm.ggufs import llama, write_gguf
    from lm.models import tokenizer

    serving = bench("bench_serving")
    model = write_gguf(tmp_path / "model.gguf", llama())
    made = serving.Bench(stream, model, tokenizer(), users=1, history=4, candidates=12)
    rows, _ = serving.measure(made, 1, torch.float32, serving.open_llama(tmp_path / "model.gguf", "fp32", made))
    assert [row.ratio > 0 for row in rows if "llama.cpp" in row.peer] == [True, True]


def test_the_k_curve_fits_every_share_of_the_layers_once_and_says_what_it_costs(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = bench("k_curve")
    study = tmp_path / "tiny.yaml"
    study.write_text(
        "name: tiny\n"
        'data: {drift_world: {users: 60, items: 30, periods: 8, seed: 1}, label: event == "click", '
        "periods: {n: 5, warm_up: 0.3}}\n"
        "base: {nano: {vocabulary: 400, width: 32, heads: 2, layers: 4, epochs: 1}}\n"
        "timeline: {context: 2, targets: 10}\nfit: {epochs: 1}\nseeds: [0, 1]\nfirst_update: 2\n"
        "contenders: [never]\n"
    )
    words = [str(study), "--periods", "2", "--rates", "0.001", "0.01", "--runs", str(tmp_path), "--out", str(tmp_path)]
    for _ in range(2):  # the second time everything is there
        monkeypatch.setattr(sys, "argv", ["k_curve.py", *words])
        curve.main()
    with (tmp_path / "k-curve-tiny.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(row["k"], row["adapt"]) for row in table] == [("4", "all"), ("2", "top(1/2)"), ("1", "top(1/4)")]
    assert float(table[0]["auc_gap"]) == 0.0
    assert all(float(row["auc_low"]) <= float(row["auc"]) <= float(row["auc_high"]) for row in table)
    weights = [int(row["weights"]) for row in table]
    assert weights[0] == 2 * weights[1] == 4 * weights[2]
    assert len(list((tmp_path / "k-curve-tiny").glob("k-*/*.npz"))) == 3 * 2 * 2
    text = (tmp_path / "k-curve-tiny.md").read_text(encoding="utf-8")
    assert "Seeds: 0, 1" in text and "periods 3 to 4" in text
    assert (tmp_path / "k-curve-tiny.png").stat().st_size > 1000
    fewer = ["--adapt", "top(1/2)", "top(1)", "--seeds", "2", "--share", "0.5"]
    monkeypatch.setattr(sys, "argv", ["k_curve.py", *words, *fewer])
    curve.main()
    text = (tmp_path / "k-curve-tiny-share-0.5.md").read_text(encoding="utf-8")
    assert "--adapt 'top(1/2)' 'top(1)' --seeds 2 --share 0.5" in text and "against top(1/2)" in text


def test_a_close_is_timed_to_the_saved_adapter(
    bench: Any, stream: Stream, deep: tuple[Any, Any], tmp_path: Path
) -> None:
    closing, tokens = bench("bench_close"), bench("bench_tokens")
    new = tokens.some_users(stream.cases(3), 30)
    for kept in (True, False):
        took, after, before = closing.close(*deep, new, kept, tmp_path / str(kept))
        assert took > 0 and 0 <= after <= 1 and 0 <= before <= 1
        assert (tmp_path / str(kept) / "served" / "adapter_model.safetensors").is_file()


def test_the_updates_of_a_strategy_are_timed_close_by_close(bench: Any, stream: Stream) -> None:
    scaling = bench("bench_scaling")
    kit = scaling.Kit(stream)
    past = [stream.until(t + 1) for t in (1, 2, 3)]
    for kept in (True, False):
        lab = kit.lab(kept=kept)
        found = scaling.renewed(lab, "lsat-ensemble", past)
        assert len(found) == 2 and min(found) > 0
        assert (lab.workshop.trunk is not None) == kept


def test_a_slope_is_the_exponent_of_growth_and_paper_adds_up(bench: Any, tmp_path: Path) -> None:
    scaling = bench("bench_scaling")
    square = scaling.Curve("a square", "sides", (1, 2, 4), (3.0, 12.0, 48.0))
    line = scaling.Curve("a line", "sides", (1, 2, 4), (1.0, 2.0, 4.0))
    assert (square.slope, line.slope) == (pytest.approx(2.0), pytest.approx(1.0))
    scaling.write([square, line, scaling.Curve("other", "users", (1, 10), (1.0, 1.0))], tmp_path, 1)
    text = (tmp_path / "bench-scaling.md").read_text(encoding="utf-8")
    assert "| a square | sides | 1, 2, 4 | 3, 12, 48 | 2.00 |" in text
    assert (tmp_path / "bench-scaling.png").stat().st_size > 1000
    hours = list(scaling.Paper().hours().values())
    assert hours[1] < hours[0] < hours[2]
    # 3e9 tokens, 4 FLOP per weight of a quarter of 0.36e9 weights, two epochs, 0.4 of 989 TFLOP/s.
    assert hours[1] == pytest.approx(3e9 * 4 * 0.09e9 * 2 / (0.4 * 989e12) / 3600)


def test_a_request_is_scored_like_rows_of_its_log_and_holds_the_same_in_every_log(bench: Any) -> None:
    request = bench("bench_request")
    template, regime, shape = Template.load("judge-timeline-facts"), request.Regime(), Shape()
    services = [request.Service.of(request.log_of(size), regime, shape) for size in (1_000, 3_000)]
    small, large = (service.request() for service in services)
    assert small.candidates.equals(large.candidates)
    assert small.history.items.equals(large.history.items)
    assert (len(small), small.history.known) == (request.CANDIDATES, request.HISTORY)
    shop = request.open_shop(services[0].stream, template, regime, shape)
    adapter = shop.grafts.fresh(shop.grafts.shape(shop.adapter), 0)
    rows, words = request.measure(services, shop, request.Blend.of(adapter), 1)
    assert words[1].startswith("Largest difference between the scores of the request and those of the view: ")
    peers = {row.peer for row in rows}
    assert peers == {"log of 1,000 rows", request.VIEW}
    assert [row.measure for row in rows if row.target] == [
        f"CPU s, request, 100 candidates, 29 events, {name}, log of 3,000 rows" for name in ("cold", "warm")
    ]


def test_a_study_of_several_parts_is_one_page_with_their_kinds_and_goals(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "small.yaml"
    study.write_text(
        "name: small\n"
        'data: {drift_world: {users: 60, items: 30, periods: 8, seed: 1}, label: event == "click", '
        "periods: {n: 5, warm_up: 0.3}}\n"
        "base: {nano: {vocabulary: 400, width: 32, heads: 2, layers: 4, epochs: 1}}\n"
        "timeline: {context: 2, targets: 10}\nseeds: [0]\nfirst_update: 2\neval_share: 0\n"
        "parts:\n"
        "  classical: {contenders: [rates, stack]}\n"
        "  frozen:\n"
        "    data: {share: 0.5}\n"
        "    contenders: [rates, stack, {use: never, name: bare+stack, settings: {bare: true}, calibration: stack}]\n"
    )
    module = bench("study")
    monkeypatch.setattr(sys, "argv", ["study.py", str(study), "--runs", str(tmp_path), "--out", str(tmp_path)])
    module.main()
    page = (tmp_path / "small.md").read_text(encoding="utf-8")
    assert "## classical" in page and "## frozen" in page and "Share of users: 0.5" in page
    assert "- G0: bare+stack (best with a language model on period 3)" in page
    assert "- G2: bare+stack minus stack" in page
    with (tmp_path / "small.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows].count("classical") == 2 and len(rows) == 5
    assert {row["kind"] for row in rows} == {"baseline", "strategy"}


@pytest.mark.parametrize("name", ["complete-journey", "electronics", "ml-1m-all-rows"])
def test_what_a_page_says_in_short_is_what_its_table_holds(bench: Any, name: str) -> None:
    results = BENCH.parent / "docs" / "results"
    table = pl.read_csv(results / f"{name}.csv", infer_schema=False)
    lines = bench("in_short").in_short(bench("study").parts(BENCH / "studies" / f"{name}.yaml"), table)
    page = (results / f"{name}.md").read_text(encoding="utf-8")
    assert "\n".join(lines) in page
    enough, tried = lines[2], [line for line in lines if line.startswith("| ") and "way" not in line[:6]]
    assert table.filter(part="classical", pays="yes")["contender"][-1] in enough and len(tried) >= 2
    assert all(float(line.split("|")[4]) < float(line.split("|")[5]) for line in tried)  # by itself, of the classical


def test_a_pilot_in_the_closed_loop_is_planned_from_the_past_and_decided_right(bench: Any) -> None:
    counts = bench("bench_pilot").closed_loop(0)
    assert [name for name, (found, _) in counts.items() if found and name != "reached"] == [
        "a real lift: roll-out",
        "no lift: stop",
        "clicks up, return down: stop",
    ]


def test_the_page_of_a_pilots_statistics_has_a_row_for_every_rate(bench: Any) -> None:
    module = bench("bench_pilot")
    names = {"peeked": module.peeked, "split": module.split}
    totals = {
        part: {k: v for n, (f, c) in run(0).items() for k, v in ((n, f), (f"{n} n", c))} for part, run in names.items()
    }
    loop = {f"{s}: {d}": 1 for s in module.SCENARIOS for d in ("roll-out", "stop")} | {"reached": 1}
    rows = module.rows_of(totals | {"loop": loop | {f"{name} n": 4 for name in loop}})
    cells = [row.cells() for row in rows]
    assert cells[-1] == ["the plan reaches lift and margin", "0.2500", "0.0063", "0.8059", "", "", "4"]
    assert all(len(row) == len(bench("rates").COLUMNS) for row in cells)
    assert {row[5] for row in cells} == {"", "yes", "no"}
    assert module.page(rows).count("\n|") == len(rows) + 2


def test_a_source_is_credited_with_what_nobody_else_found_and_with_its_part_in_the_list(bench: Any) -> None:
    found = bench("bench_sources").Found()
    proposed = {"near": ["a", "b"], "newest": ["c", "d"]}
    found.add(proposed, wanted={"a", "c"}, fresh={"c"}, offered=8)
    found.served(proposed, ["a", "b", "c", "x"])
    assert found.recall == {"near": 0.5, "newest": 0.5, "all": 1.0, "all but near": 0.5, "all but newest": 0.5}
    assert (found.fresh_recall["near"], found.fresh_recall["newest"]) == (0.0, 1.0)
    assert (found.chance["near"], found.chance["all"]) == (0.25, 0.5)
    assert found.overlap == {"near": 0.5, "newest": 0.25}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "measure"), [("bench_sources", "overlap@10"), ("bench_site", "events accepted")])
def test_a_benchmark_of_a_site_runs_on_a_small_one(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, measure: str
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--quick", "--out", str(tmp_path)])
    bench(name).main()
    with (tmp_path / f"{name.replace('_', '-')}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert any(row["measure"].startswith(measure) for row in rows)
    assert all(float(row["ours"]) >= 0 for row in rows)


def test_contamination_learns_each_night_from_what_counts_on_a_side(bench: Any) -> None:
    module = bench("contamination")
    rows = pl.DataFrame({"item": [0, 0, 0, 1, 2, 2], "click": [True, True, False, True, False, False]})
    assert module.best(rows, module.control, 4)[:2].tolist() == [0, 1]  # clicked most often
    assert module.best(rows, module.treatment, 4)[:3].tolist() == [1, 0, 3]  # most per time shown, 3 never was


def test_contamination_writes_a_mean_with_its_interval(bench: Any) -> None:
    row = bench("contamination")._row("error", np.array([1.0, 2.0, 3.0]))
    assert row == ["error", "2.0", "-0.5", "4.5", "3"]
