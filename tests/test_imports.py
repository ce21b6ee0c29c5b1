"""What is loaded when: everything but training and scoring of language models works without PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regraft.extras import packages

TESTS = Path(__file__).parent
EXTRA = packages("lm")
TORCH = ("torch", "transformers", "peft", "accelerate")

# Stands in for an environment without some packages.
BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Absent())
"""

RUN = """
from pathlib import Path
from arena.small_runs import config, run, scores
arena = run(Path("run"), config(["popularity", "rates", "item-knn"], last_update=2))
assert len(scores(arena)["contender"].unique()) == 3
"""


def python(code: str, folder: Path, absent: tuple[str, ...] = ()) -> str:
    """What the code prints in a new process, in which some packages are absent."""
    program = (BLOCK.format(absent=set(absent)) if absent else "import sys\n") + code
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_importing_regraft_takes_less_than_a_third_of_a_second(tmp_path: Path) -> None:
    code = "import time\nbegan = time.perf_counter()\nimport regraft\nprint(time.perf_counter() - began)"
    assert min(float(python(code, tmp_path)) for _ in range(5)) < 0.3


IMPORTS = {
    "regraft": "import regraft",
    "data, prompts and metrics": (
        "import regraft.data.ingest, regraft.data.source, regraft.data.drift_world, regraft.data.presets\n"
        "import regraft.prompts.template, regraft.prompts.facts, regraft.prompts.timeline, regraft.prompts.lint\n"
        "import regraft.metrics.binary, regraft.metrics.by_period, regraft.metrics.intervals, regraft.metrics.groups"
    ),
    "baselines": "import regraft.baselines.stack, regraft.baselines.item_knn, regraft.baselines.popularity",
    "the arena": (
        "import regraft.setup.config, regraft.arena.compare, regraft.setup.base\n"
        "from regraft.setup.config import ArenaConfig\nArenaConfig.model_json_schema()"
    ),
    "listing plug-ins": (
        "from regraft import plugins\n"
        "assert all(len(plugins.plugins(kind)) > 2 for kind in plugins.KINDS)\n"
        "assert not [p for p in plugins.plugins('strategies') if p.module in sys.modules]"
    ),
    "statistics of a pilot": "import regraft.pilot.analyse, regraft.pilot.power, regraft.pilot.verdict",
    "the dashboard": "import regraft.dashboard.app, regraft.dashboard.export",
    "contract tests of readers and baselines": "import regraft.testing.check_reader, regraft.testing.check_baseline",
}


def test_nothing_but_language_models_loads_a_package_of_the_extra(tmp_path: Path) -> None:
    checked = "\n".join(
        f"{code}\nfound = [p for p in {EXTRA} if p in sys.modules]\nassert not found, ({name!r}, found)"
        for name, code in IMPORTS.items()
    )
    python(checked, tmp_path)


def test_a_site_is_opened_without_what_only_fits_and_migrations_need(tmp_path: Path) -> None:
    loaded = python(
        "import regraft.setup.site, regraft.baselines.stack, regraft.state.keys\nprint(*sys.modules)", tmp_path
    )
    assert {"regraft.setup.site", "polars"} <= set(loaded.split())
    assert not {"sklearn", "scipy.sparse", "scipy.stats", "alembic"} & set(loaded.split())


def test_a_run_of_baselines_loads_no_package_of_the_extra_and_works_without(tmp_path: Path) -> None:
    python(f"{RUN}\nassert not [p for p in {EXTRA} if p in sys.modules]", tmp_path, absent=EXTRA)


WITHOUT_TORCH = """
import regraft.lm.adapter, regraft.lm.blend, regraft.lm.merge, regraft.lm.encode, regraft.lm.options
from regraft import plugins
from regraft.setup.config import ContenderOptions, plugin
from regraft.testing.check_strategy import check_strategy
for name in plugins.names("strategies"):
    check_strategy(plugin(ContenderOptions(use=name)))
assert not [p for p in {torch} if p in sys.modules]
from pathlib import Path
from arena.small_runs import config, run
from regraft.errors import MissingExtraError
try:
    run(Path("run"), config(["never"]))
except MissingExtraError as error:
    print(error)
"""


def test_strategies_keep_their_contract_without_pytorch_and_a_run_says_what_to_install(tmp_path: Path) -> None:
    printed = python(WITHOUT_TORCH.format(torch=TORCH), tmp_path, absent=TORCH)
    assert printed.startswith("strategies that adapt a language model: needs the package 'torch', which is not inst")
    assert printed.endswith("Expected the extra 'lm'\nInstall it with: pip install -c constraints.txt \".[lm]\"")


def test_without_the_whole_extra_a_strategy_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "from arena.small_runs import config\nfrom regraft.errors import MissingExtraError\n"
        "try:\n    config(['never'])\nexcept MissingExtraError as error:\n    print(error)"
    )
    printed = python(code, tmp_path, absent=EXTRA)
    assert printed == (
        "strategies plug-in 'never': needs the package 'safetensors', which is not installed\n"
        "Expected the extra 'lm'\n"
        'Install it with: pip install -c constraints.txt ".[lm]"'
    )


def test_a_cluster_without_ray_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom arena.small_runs import config\nfrom regraft.arena.compare import Arena\n"
        "from regraft.arena.ray_executor import run_on_ray\nfrom regraft.errors import MissingExtraError\n"
        "try:\n    list(run_on_ray(Arena(config(['rates']), Path('run'))))\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    assert python(code, tmp_path, absent=("ray",)) == (
        "running on a cluster: needs the package 'ray', which is not installed\n"
        "Expected the extra 'ray'\n"
        'Install it with: pip install -c constraints.txt ".[ray]"'
    )


@pytest.mark.parametrize("room", ["regraft.lm.adapter", "regraft.lm.blend", "regraft.lm.merge"])
def test_the_algebra_of_adapters_imports_without_pytorch(room: str, tmp_path: Path) -> None:
    python(f"import {room}\nassert 'torch' not in sys.modules", tmp_path, absent=TORCH)
