"""A draft beside the template in use: the same rows, a difference with its interval, and a fair word about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from regraft.errors import ConfigError
from regraft.metrics.binary import auc
from regraft.state.database import transaction
from regraft.studio import trial as module
from regraft.studio.trial import kept, trial
from studio.conftest import DRAFT, Studio


def test_both_templates_foresee_the_same_rows(studio: Studio, draft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    plain = module._under

    def watched(bench, template, options):
        contender = plain(bench, template, options)
        renew, score = contender.renew, contender.score

        def renewing(past):
            seen.append(("learns", past.fingerprint))
            return renew(past)

        def scoring(cases):
            scores = score(cases)
            seen.append((cases.ids.tolist(), auc(cases.labels, scores)))
            return scores

        contender.renew, contender.score = renewing, scoring
        return contender

    monkeypatch.setattr(module, "_under", watched)
    found = trial(studio.site, str(draft), examples=60)
    draft_learns, draft_cases, used_learns, used_cases = seen
    assert draft_learns == used_learns
    assert draft_cases[0] == used_cases[0]
    assert len(draft_cases[0]) == found.rows == 60
    assert found.draft.auc.estimate == pytest.approx(draft_cases[1])
    assert found.differences["auc"].estimate == pytest.approx(draft_cases[1] - used_cases[1])


def test_what_is_foreseen_was_not_learnt_from(studio: Studio) -> None:
    site = studio.site
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    past, cases = module._split(site.stream(cuts), 60)
    first = min(int(view.time[view.targets].min()) for view in cases)
    assert int(past.time.max()) < first
    assert not set(past.ids) & {int(i) for view in cases for i in view.ids}


def test_a_trial_is_kept_as_aggregates(studio: Studio, draft: Path) -> None:
    found = trial(studio.site, str(draft), examples=60)
    (said,) = kept(studio.site)
    assert said["sentence"] == found.sentence
    assert said["draft"]["hash"] == found.draft.hash
    assert not {str(user) for user in range(10)} & set(json.dumps(said).split())
    assert found.rows == 60 and found.people > 1 and found.draft.tokens > 3


def test_the_same_text_twice_is_no_trial(studio: Studio) -> None:
    with pytest.raises(ConfigError, match="is the text of judge-timeline-facts"):
        trial(studio.site, "judge-timeline-facts")


def test_a_contender_without_prompts_cannot_try_them(studio: Studio, draft: Path) -> None:
    with pytest.raises(ConfigError, match=r"contender 'popularity': reads no prompts.*\nExpected one of analytic"):
        trial(studio.site, str(draft), use="popularity")


def test_a_template_that_shows_more_of_what_is_liked_is_found_better(studio: Studio, tmp_path: Path) -> None:
    """Known answer: one text shows how an item was liked, the other shows nothing that tells items apart."""
    blind = tmp_path / "blind.jinja"
    blind.write_text(DRAFT.replace("{{ item.title }}", "x").replace("{{ item.genres }}", "").replace(
        "{{ facts.item_rate }}", "x{% if item.title %}{% endif %}"
    ))  # fmt: skip
    telling = tmp_path / "telling.jinja"
    telling.write_text(DRAFT.replace("{{ facts.item_rate }}", "{{ facts.item_rate }} {{ facts.recent }}"))
    found = trial(studio.site, str(telling), str(blind), examples=400)
    assert found.draft.auc.estimate > found.against.auc.estimate
    assert (found.differences["auc"].low > 0) == (found.verdict == "better")
    assert np.isfinite(found.differences["log_loss"].estimate)
