"""Too many bad rows: the message names the column, its texts, and commands that work from that very state."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cli.door import regraft
from regraft.data.ingest import Ingested, ingest
from regraft.errors import DataError

NOON = 1_600_000_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def log(times: list[str] | None = None, values: list[str] | None = None, good: int = 0, name: str = "log.csv") -> Path:
    """A log with these times or values, and some good rows behind them."""
    n = len(times or values or [])
    rows = [
        f"u{at % 5};i{at % 7};{(values or ['3'] * n)[at]};{(times or [str(NOON + 9000 * at)] * n)[at]}"
        for at in range(n)
    ]
    rows += [f"u{at % 5};i{at % 7};{at % 5 + 1};{NOON + 90_000 * at}" for at in range(good)]
    path = Path(name)
    path.write_text("\n".join(["user_id;item_id;rating;timestamp", *rows]) + "\n", encoding="utf-8")
    return path


def refused(path: Path, **options: object) -> DataError:
    with pytest.raises(DataError) as error:
        ingest(path, **options)  # type: ignore[arg-type]
    return error.value


def advised(error: DataError) -> list[list[str]]:
    """The commands that the message names."""
    return [shlex.split(found)[1:] for found in re.findall(r"regraft (?:data|arena) .*", str(error))]


FORMS = (
    "%d-%m-%Y %H:%M", "%m/%d/%Y", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S", "%a %b %d %H:%M:%S %z %Y", "%b %d, %Y",
    "%d %B %Y, %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%m %d, %Y", "%d-%b-%Y",
    "%a %b %d %Y %H:%M:%S GMT%z",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_times_in_another_form_are_told_with_the_command_that_reads_them(form: str) -> None:
    zone = timezone(timedelta(hours=-7)) if "%z" in form else UTC
    when = [datetime(2020, 9, day, 16, 8, 13, tzinfo=zone) for day in range(1, 29)]
    texts = [one.strftime(form).replace("09/0", "9/") for one in when]  # as Excel writes them
    path = log(times=texts)
    error = refused(path)
    assert f"the column 'timestamp' holds '{texts[0]}'" in str(error)
    assert advised(error)[0] == ["data", "inspect", "log.csv", "--mapping", f"timestamp_format={form}"]
    assert regraft(*advised(error)[0], at=Path()).code == 0
    read = ingest(path, mapping={"timestamp_format": form})
    assert read.interactions["timestamp"].dt.date().to_list() == [one.astimezone(UTC).date() for one in when]


def test_a_few_times_in_another_form_are_read_beside_the_others_with_the_command() -> None:
    error = refused(log(times=["29-01-2021 07:01"] * 2, good=60))
    heard = regraft(*advised(error)[0], at=Path())
    assert heard.code == 0
    assert "rows      62 = 62 accepted + 0 set aside" in heard.out


def test_day_and_month_that_cannot_be_told_apart_are_left_to_the_user() -> None:
    error = refused(log(times=[f"0{n}/0{n + 1}/2020" for n in range(1, 8)]))
    assert [words[-1] for words in advised(error)] == ["timestamp_format=%d/%m/%Y", "timestamp_format=%m/%d/%Y"]
    assert "Or, if day and month stand the other way round" in error.next_step


def test_ratings_in_words_are_told_with_their_column_and_read_as_events_with_the_command() -> None:
    path = log(values=["\U0001f44d", "\U0001f44e"] * 30)
    error = refused(path)
    assert "(the column 'rating' holds '\U0001f44d', '\U0001f44e')" in str(error)
    heard = regraft(*advised(error)[0], at=Path())
    assert heard.code == 0
    assert 'label     event == "\U0001f44d"' in heard.out


@pytest.mark.parametrize(
    ("texts", "values", "said"),
    [
        (["4,5", "3"], [4.5, 3.0], "1 ratings with a decimal comma were read as numbers"),
        (["4.0 out of 5 stars", "1.0 out of 5"], [4.0, 1.0], "2 ratings such as '4 out of 5' were read as their first"),
        (["True", "false"], [1.0, 0.0], "2 ratings true and false were read as 1 and 0"),
    ],
)
def test_ratings_that_cannot_be_misread_are_read_and_told(texts: list[str], values: list[float], said: str) -> None:
    found = ingest(log(values=texts))
    assert found.interactions["value"].to_list() == values
    assert found.warnings[0].startswith(said)


@pytest.mark.parametrize("text", ["1,234", "4;5", "true", "five", "4/5"])
def test_a_rating_that_can_be_misread_is_no_rating(text: str) -> None:
    found = ingest(log(values=[text], good=9), quarantine=True)
    assert found.rejected["reason"][0] in ("bad-value", "field-count")


def test_the_number_of_fields_is_told() -> None:
    Path("log.csv").write_text(f"user;item;time\nu;i;{NOON};x\n" + f"u;i;{NOON}\n" * 9)
    assert "wrong number of fields (4 where 3 are expected)" in str(refused(Path("log.csv")))


def test_a_limit_is_advised_for_all_reasons_at_once_and_they_suffice() -> None:
    error = refused(log(values=["x"] * 3 + ["4"] * 2, times=[str(NOON)] * 3 + ["soon"] * 2, good=60, name="my log.csv"))
    see, accept = advised(error)[-2:]
    assert accept == ["arena", "init", "my log.csv", "--limit", "bad-value=0.05", "--limit", "bad-time=0.04"]
    assert regraft(*see, at=Path()).code == 0
    limits = {reason: float(share) for reason, share in (word.split("=") for word in accept[4::2])}
    assert ingest(Path("my log.csv"), limits=limits).interactions.height == 60


def test_the_advice_repeats_how_the_log_was_asked_for() -> None:
    Path("log.csv").write_text("who;what;when\n" + f"u;i;{NOON}\n" * 9 + "u;i;soon\n")
    mapping = {"user_id": "who", "item_id": "what", "timestamp": "when"}
    words = ["--mapping", "user_id=who", "--mapping", "item_id=what", "--mapping", "timestamp=when"]
    assert advised(refused(Path("log.csv"), mapping=mapping))[0] == [
        "data",
        "inspect",
        "log.csv",
        *words,
        "--quarantine",
    ]


def test_to_lose_most_rows_is_never_advised() -> None:
    error = refused(log(values=["x"] * 60, good=40))
    assert "--limit" not in str(error)
    assert advised(error)


@pytest.mark.parametrize("options", [[], ["--quarantine"], ["--quarantine-file", "bad.csv"]])
def test_where_no_row_is_left_every_command_says_so_and_shows_the_rows(options: list[str]) -> None:
    log(times=["13/09/2020"] * 9)
    heard = regraft("data", "inspect", "log.csv", *options, at=Path())
    assert heard.code == 2
    assert heard.err.startswith(
        "log.csv: no row is left: all 9 were set aside\n  9 bad-time: a timestamp that is not a time"
    )
    assert "log.csv:2: u0;i0;3;13/09/2020" in heard.err
    assert Path("bad.csv").exists() == ("--quarantine-file" in options)
    made = regraft("arena", "init", "log.csv", "--limit", "bad-time=1", at=Path())
    assert (made.code, made.err.split("\n")[0]) == (2, heard.err.split("\n")[0])


def test_mixed_units_are_told() -> None:
    found: Ingested = ingest(log(times=[str(NOON + n) for n in range(4)] + [f"{NOON + n}000" for n in range(9)]))
    assert found.rejected.is_empty()
    assert found.interactions["timestamp"].dt.year().unique().to_list() == [2020]
    assert found.warnings[0] == (
        "times are of several kinds, 9 in milliseconds, 4 in seconds: every row was read by itself"
    )


def test_times_before_1990_are_set_aside_row_by_row() -> None:
    found = ingest(log(times=["0", "1970-01-01", "-1", "86400"], good=60), quarantine=True)
    assert found.rejected["reason"].to_list() == ["early", "early", "early", "early"]


def test_two_ratings_of_one_instant_are_told() -> None:
    Path("log.csv").write_text(f"user,item,rating,time\nu,i,3,{NOON}\nu,i,4,{NOON}\nu,j,4,{NOON}\n")
    found = ingest(Path("log.csv"))
    assert found.interactions.height == 3
    assert found.warnings[0] == (
        "1 rows rate an item that their user rated at the same instant with another value; all of them are kept"
    )


def test_a_format_without_a_date_and_an_unknown_encoding_are_refused() -> None:
    with pytest.raises(DataError, match="timestamp_format: '%H:%M' gives no date"):
        ingest(log(good=3), mapping={"timestamp_format": "%H:%M"})
    with pytest.raises(DataError, match="'latin-99' is not an encoding"):
        ingest(log(good=3), mapping={"encoding": "latin-99"})
