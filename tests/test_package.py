"""What is installed is whole: a copy made by pip holds every file that the code reads."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_file_beside_the_code_is_packaged() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    package = ROOT / "src" / "regraft"
    packaged = {path for pattern in settings["package-data"]["regraft"] for path in package.glob(pattern)}
    beside = {p for p in package.rglob("*") if p.is_file() and p.suffix != ".py" and "__pycache__" not in p.parts}
    beside = {p for p in beside if not any(part.startswith(".") for part in p.relative_to(package).parts)}
    assert beside and beside - packaged == set()
