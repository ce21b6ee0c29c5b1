"""Lines and fields: blocks, separators, quotes, JSON."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.readers import _delimited
from regraft.data.readers import lines as module
from regraft.data.readers._delimited import delimited
from regraft.data.readers._objects import keys_of, objects, words
from regraft.data.readers.lines import lines_of, read_lines

AB = {"a": 0, "b": 1}


def cut(data: bytes, separator: str = ",", quoted: bool = True) -> tuple[list[Any], list[Any]]:
    """Rows (a, b, line) and rejected (line, reason) of two-column text."""
    part = delimited(lines_of(data, "f"), separator, AB, 2, quoted)
    return part.fields.rows(), [(line, reason) for _, line, reason, _ in part.rejected.rows()]


def test_a_block_ends_with_a_whole_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    blocks = list(read_lines(io.BytesIO(b"ab\ncdefghi\nj"), "f"))
    assert [block.data for block in blocks] == [b"ab\n", b"cdefghi\n", b"j\n"]
    assert [block.numbers.tolist() for block in blocks] == [[1], [2], [3]]


def test_an_empty_file_has_no_blocks() -> None:
    assert list(read_lines(io.BytesIO(b""), "f")) == []


def test_a_carriage_return_inside_a_line_stays() -> None:
    assert lines_of(b"a\rb\r\n", "f").data == b"a\rb\n"


def test_selected_lines_keep_their_numbers_and_text() -> None:
    lines = lines_of(b"one\ntwo\nthree\n", "f", first=10).select(np.array([True, False, True]))
    assert lines.data == b"one\nthree\n"
    assert lines.numbers.tolist() == [10, 12]
    assert lines.text([12, 10]) == ["three", "one"]


def test_lines_are_cut_by_index_and_by_number() -> None:
    lines = lines_of(b"one\ntwo\nthree\n", "f")
    assert lines.cut(1, 3).data == lines.from_line(2).data == b"two\nthree\n"
    assert len(lines.cut(1, 1)) == len(lines.from_line(4)) == 0


def test_a_separator_of_two_characters_splits_like_str_split() -> None:
    text = b"1::2\n1:::2\n:1::2\n::\n1::2::\n1:2\n"
    rows, rejected = cut(text, "::", quoted=False)
    assert rows == [("1", "2", 1), ("1", ":2", 2), (":1", "2", 3), (None, None, 4)]
    assert rejected == [(5, "field-count"), (6, "field-count")]


def test_the_byte_that_stands_in_for_a_separator_may_occur_in_the_text() -> None:
    rows, rejected = cut(b"a\x1f::b\nc\x1fd\ne::f\n", "::", quoted=False)
    assert rows == [("a\x1f", "b", 1), ("e", "f", 3)]
    assert rejected == [(2, "field-count")]


def test_quotes_mean_nothing_where_a_format_has_none() -> None:
    assert cut(b'"a::b"\n', "::", quoted=False)[0] == [('"a', 'b"', 1)]


def test_quoted_fields_hold_separators_and_quotes() -> None:
    assert cut(b'"a,b","c ""d"""\n"",x\n')[0] == [("a,b", 'c "d"', 1), ("", "x", 2)]


def test_a_quoted_field_may_span_lines_and_has_the_number_of_the_first() -> None:
    assert cut(b'x,y\n"a\nb,\nc",d\nz,z\n')[0] == [("x", "y", 1), ("a\nb,\nc", "d", 2), ("z", "z", 5)]


def test_quotes_inside_an_unquoted_field_are_text() -> None:
    assert cut(b'5" disk,1\n3" by 4" card,2\n')[0] == [('5" disk', "1", 1), ('3" by 4" card', "2", 2)]


def test_a_quote_that_is_never_closed_costs_one_line_only() -> None:
    rows, rejected = cut(b'a,b\n"c,d\ne,f\n"g",h\n')
    assert rows == [("a", "b", 1), ("e", "f", 3), ("g", "h", 4)]
    assert rejected == [(2, "field-count")]


def test_a_block_does_not_end_inside_a_quoted_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 12)
    data = b'a,b\n"c\nd",e\nf,g\n'
    blocks = read_lines(io.BytesIO(data), "f", quoted=True)
    rows = [row for lines in blocks for row in delimited(lines, ",", AB, 2, quoted=True).fields.rows()]
    assert rows == [("a", "b", 1), ("c\nd", "e", 2), ("f", "g", 4)]


def test_only_the_columns_asked_for_are_read_in_any_order() -> None:
    part = delimited(lines_of(b"1,2,3\n", "f"), ",", {"last": 2, "first": 0}, 3)
    assert part.fields.rows(named=True) == [{"last": "3", "first": "1", "line": 1}]


def test_lines_that_could_be_taken_for_a_compressed_file_are_text() -> None:
    assert cut(b"x\x01,1\n(\xc2\xb5,2\n")[0] == [("x\x01", "1", 1), ("(µ", "2", 2)]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.text(st.sampled_from('ab,"\n 日本'), max_size=6)] * 2), min_size=1, max_size=12),
    everything=st.booleans(),
    size=st.integers(20, 200),
)
def test_what_the_csv_module_writes_is_read_back_exactly(
    rows: list[tuple[str, str]], everything: bool, size: int
) -> None:
    # A blank line is no row, so the first field must not be empty; blank lines inside a field are dropped.
    rows = [("k" + a.replace("\n\n", "\n").strip("\n"), b.replace("\n\n", "\n").strip("\n")) for a, b in rows]
    rows = [(a.replace("\n\n", "\n"), b.replace("\n\n", "\n")) for a, b in rows]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL).writerows(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        blocks = list(read_lines(io.BytesIO(text.getvalue().encode()), "f", quoted=True))
    parts = [delimited(lines, ",", AB, 2, quoted=True) for lines in blocks]
    assert [(a, b or "") for part in parts for a, b, _ in part.fields.rows()] == rows
    assert all(part.rejected.is_empty() for part in parts)


def test_json_values_come_as_strings_and_missing_ones_as_null() -> None:
    data = b'{"a": 1.5, "b": "x"}\n{"b": null}\n{"a": [1, "q"], "b": true, "c": 0}\n'
    part = objects(lines_of(data, "f"), {"first": "a", "second": "b"})
    assert part.fields.rows() == [("1.5", "x", 1), (None, None, 2), ('[1, "q"]', "true", 3)]


def test_one_broken_json_line_in_a_thousand_is_found() -> None:
    rows = [b'{"a": "%d"}' % number for number in range(1000)]
    rows[777] = b'{"a": "777"'
    part = objects(lines_of(b"\n".join(rows) + b"\n", "f"), {"a": "a"})
    assert part.rejected.rows() == [("f", 778, "not-json", '{"a": "777"')]
    assert part.fields["line"].to_list() == [line for line in range(1, 1001) if line != 778]


def test_words_joins_lists_and_leaves_other_text_alone() -> None:
    assert words('["Movies", "  ", "Drama "]') == "Movies, Drama"
    assert [words(text) for text in ("[REC]", "plain", "", "[]", None)] == [
        "[REC]",
        "plain",
        None,
        None,
        None,
    ]


def test_only_objects_have_keys() -> None:
    assert [keys_of(line) for line in (b'{"a": 1}', b"[1]", b"{", b"\xff")] == [["a"], [], [], []]


def test_lines_that_polars_refuses_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b'a,b\n"c,c",d\n"e\nf",g\nh\n'
    expected = cut(data)
    monkeypatch.setattr(_delimited, "_all_at_once", lambda *_: None)
    assert cut(data) == expected


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e400"])
def test_a_number_that_json_does_not_know_costs_one_line_only(number: bytes) -> None:
    part = objects(lines_of(b'{"a": 1}\n{"a": ' + number + b'}\n{"a": 3}\n', "f"), {"a": "a"})
    assert part.fields.rows() == [("1", 1), ("3", 3)]
    assert part.rejected.select("line", "reason").rows() == [(2, "not-json")]
