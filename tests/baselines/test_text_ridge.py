from __future__ import annotations

from dataclasses import replace

import numpy as np

from regraft.baselines.text_ridge import TextRidge
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.testing._ground import learnable, small_stream, turned
from worlds import tiny_stream

STREAM, FRESH = small_stream(), Regime()
DAYS = Periods(by="calendar", every="1d")
LOG = (
    "ann:a+@1h bob:b+@2h cat:a+@3h dan:b+@4h ann:x-@5h bob:y-@6h cat:x-@7h dan:y-@8h "
    "ann:good_new+@1d bob:bad_new-@1.1d cat:plain+@1.2d"
)
GENRES = {
    **dict.fromkeys(["a", "b", "good_new"], "crime"), **dict.fromkeys(["x", "y", "bad_new"], "family"), "plain": "",
}  # fmt: skip


def test_a_new_item_is_expected_to_be_liked_as_items_with_its_words_were() -> None:
    stream = tiny_stream(LOG, DAYS, genres=GENRES)
    score = TextRidge("columns").fit(stream.until(2), FRESH).score(stream.cases(2))
    good, bad, plain = score
    assert (good > plain).all()
    assert (plain > bad).all()


def test_the_second_number_turns_with_what_people_like_and_the_first_one_lags() -> None:
    turned_log = " ".join(
        f"u{n % 9}:{'a' if n % 2 else 'x'}{n}{'+' if (n % 2) == (n < 60) else '-'}@{n}h" for n in range(1, 96)
    )
    genres = {f"{letter}{n}": "crime" if letter == "a" else "family" for letter in "ax" for n in range(1, 96)}
    stream = tiny_stream(turned_log, DAYS, genres=genres)
    cases = stream.cases(4)
    both = TextRidge("columns").fit(stream.until(4), FRESH).score(cases)
    crime = np.array([i.startswith("a") for i in cases.items["item_id"].gather(cases.item[cases.targets])])
    lead = both[crime].mean(axis=0) - both[~crime].mean(axis=0)  # of crime, which is disliked by now
    assert lead[1] < lead[0]


def test_an_item_without_a_text_has_the_same_score_as_any_other_such_item() -> None:
    ridge = TextRidge("columns").fit(learnable(STREAM, 3), FRESH)
    cases = replace(STREAM.cases(4), items=STREAM.items.select("item_id", "title"))
    assert np.unique(ridge.score(cases), axis=0).tolist() == [ridge.bias.tolist()]


def test_restored_it_scores_the_same_to_the_bit() -> None:
    for similarity in ("columns", "tfidf"):
        ridge, other = TextRidge(similarity).fit(learnable(STREAM, 3), FRESH), TextRidge(similarity)
        other.restore(ridge.arrays())
        assert other.score(STREAM.cases(4)).tobytes() == ridge.score(STREAM.cases(4)).tobytes()


def test_it_knows_nothing_of_labels_behind_its_past() -> None:
    start = int(np.searchsorted(STREAM.period, 4))
    said = [
        TextRidge("tfidf").fit(learnable(s, 3), FRESH).score(STREAM.cases(4)) for s in (STREAM, turned(STREAM, start))
    ]
    np.testing.assert_array_equal(*said)
