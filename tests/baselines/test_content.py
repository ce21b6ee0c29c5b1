from __future__ import annotations

import numpy as np
import pytest

from regraft.baselines.content import Content
from regraft.baselines.features import features
from regraft.baselines.text_ridge import TextRidge
from regraft.data.regimes import Regime
from regraft.errors import ConfigError
from regraft.metrics.binary import auc
from regraft.prompts.alike import CONTENT
from regraft.testing._ground import learnable, small_stream

STREAM, FRESH = small_stream(), Regime()
RATES = ("item_rate", "recent", "user_lean")


def test_it_is_a_logistic_on_rates_content_facts_and_the_ridge() -> None:
    past, cases, model = learnable(STREAM, 5), STREAM.cases(6), Content(FRESH)
    model.renew(past)
    x = features(cases, FRESH, (*RATES, *CONTENT), "tfidf")
    x = np.column_stack([x, TextRidge("tfidf").fit(past, FRESH).score(cases)])
    np.testing.assert_array_equal(model.score(cases), model.model.decision_function(x))


def test_the_logistic_is_fitted_on_what_the_ridge_said_before_each_period(monkeypatch: pytest.MonkeyPatch) -> None:
    past, fits = learnable(STREAM, 5), []
    fit = TextRidge.fit
    monkeypatch.setattr(
        TextRidge, "fit", lambda self, p, r: fits.append(int(p.period[p.targets].max())) or fit(self, p, r)
    )
    past.shared.pop(("text ridge", "fresh", "tfidf"), None)
    Content(FRESH).renew(past)
    assert fits == [2, 3, 4, 5]  # for the periods 3, 4 and 5, and then for the cases


def test_without_a_similarity_the_rates_are_left() -> None:
    model = Content(FRESH, similarity="none")
    model.renew(learnable(STREAM, 5))
    assert len(model.model.weights) == len(RATES)
    assert [Content(FRESH, similarity=s).rung for s in ("none", "columns", "tfidf")] == [
        "rates", "content columns", "text vectors"
    ]  # fmt: skip


def test_texts_tell_of_items_more_than_rates_alone_do() -> None:
    scores = []
    for similarity in ("none", "tfidf"):
        model = Content(FRESH, similarity=similarity)
        model.renew(learnable(STREAM, 5))
        scores.append(auc(STREAM.cases(6).labels, model.score(STREAM.cases(6))))
    assert scores[1] > scores[0]


def test_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(ConfigError, match="similarity 'words': is unknown"):
        Content(FRESH, similarity="words")
