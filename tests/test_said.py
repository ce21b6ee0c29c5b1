"""A sentence keeps what it was filled from, wherever it goes."""

from __future__ import annotations

import json
from dataclasses import asdict

from regraft.release.evidence import Finding
from regraft.said import Said

GAP = Said("{gap:+.4f} [{low:+.4f}, {high:+.4f}]", gap=0.0021, low=-0.004, high=0.0082)
SAID = Said("{where}: AUC {gap}, {n:,} rows", where="newest", gap=GAP, n=1204)


def test_it_is_the_english_sentence() -> None:
    assert SAID == "newest: AUC +0.0021 [-0.0040, +0.0082], 1,204 rows"
    assert json.dumps(SAID) == json.dumps(f"{SAID}")


def test_its_template_has_no_formats_and_its_values_are_written() -> None:
    assert SAID.template == "{where}: AUC {gap}, {n} rows"
    assert SAID.values == {"where": "newest", "gap": GAP, "n": "1,204"}


def test_it_is_made_again_from_its_parts() -> None:
    again = Said.of(json.loads(json.dumps(SAID.parts)))
    assert (again, again.template, again.parts) == (SAID, SAID.template, SAID.parts)
    assert isinstance(again.values["gap"], Said)


def test_a_copy_keeps_its_parts() -> None:
    copied = asdict(Finding("effect", "pass", SAID))["reason"]
    assert (copied, copied.parts) == (SAID, SAID.parts)
