"""Says what a file is that is no table to read: by its first bytes, with a way to a CSV or Parquet file."""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path, PurePosixPath

from regraft.data.readers._files import Source, is_zip, members, parts
from regraft.errors import DataError

READ = (
    "CSV or TSV with a header, JSON lines, a JSON array, Parquet or Arrow; "
    "plain, packed (gzip, bzip2, xz, zip), or a folder of such parts"
)
EXPORT = "Save the table as CSV (UTF-8) in the program that wrote it."
FRAME = "Write the table as CSV or Parquet where it was made, e.g. in Python: frame.to_csv('log.csv', index=False)"
IN_R = "Write it in R: write.csv(frame, 'log.csv', row.names = FALSE)"
SIGNATURES = (  # (offset, bytes, what it is, what to do)
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", EXPORT),
    (0, b"\x80\x02", "a Python pickle", FRAME),
    (0, b"\x80\x03", "a Python pickle", FRAME),
    (0, b"\x80\x04", "a Python pickle", FRAME),
    (0, b"\x80\x05", "a Python pickle", FRAME),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", FRAME),
    (0, b"\x93NUMPY", "a NumPy array", FRAME),
    (0, b"FEA1", "a Feather file of version 1", FRAME),
    (0, b"RDX", "an R data file", IN_R),
    (0, b"X\n\x00\x00\x00", "an R data file", IN_R),
    (0, b"Obj\x01", "an Avro file", FRAME),
    (0, b"ORC", "an ORC file", FRAME),
    (0, b"\x28\xb5\x2f\xfd", "packed with Zstandard", "Unpack it first: zstd -d FILE"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first: 7z x FILE"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "Unpack it first: unrar x FILE"),
    (257, b"ustar", "a tar archive", "Unpack it first: tar -xf FILE"),
    (0, b"%PDF", "a PDF document", EXPORT),
    (0, b"<!doctype html", "a web page", "Fetch the file itself; this is the page that was shown instead of it."),
    (0, b"<html", "a web page", "Fetch the file itself; this is the page that was shown instead of it."),
    (0, b"<?xml", "an XML document", EXPORT),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch the file: git lfs pull"),
)  # fmt: skip


def explained(path: Path) -> DataError:
    """The error for a file or folder that holds no table, which says what it holds."""
    if path.is_dir():
        return _folder(path)
    if is_zip(path):
        return _zip(path)
    source = Source(path)
    source.check()
    begin = source.start()
    what, remedy = _kind(path, begin)
    return DataError(str(path), what, READ, remedy)


def signature(begin: bytes) -> tuple[str, str] | None:
    """What a file is by its first bytes, and what to do with it; None where they are not known."""
    for offset, mark, what, remedy in SIGNATURES:
        found = begin[offset : offset + len(mark)]
        if found == mark or (mark.startswith(b"<") and found.lower() == mark):
            return what, remedy
    return None


def _kind(path: Path, begin: bytes) -> tuple[str, str]:
    file = shlex.quote(str(path))
    if begin.startswith(b"SQLite format 3\0"):
        tables = _tables(path)
        named = f" with the tables {', '.join(tables)}" if tables else ""
        query = shlex.quote(f'SELECT * FROM "{tables[0] if tables else "TABLE"}"')
        return f"is an SQLite database{named}", f"Export a table: sqlite3 -header -csv {file} {query} > log.csv"
    if known := signature(begin):
        return f"is {known[0]}", known[1].replace("FILE", file)
    if any(byte < 9 or 13 < byte < 27 for byte in begin[:4096]):
        return "is a binary file of an unknown kind", EXPORT
    text = begin.lstrip()
    if text.startswith(b"["):
        return "is a JSON array whose elements are not objects", "Write one object with keys for each event."
    if text.startswith(b"{"):
        what = "is one JSON object, not one on each line"
        if rows := re.search(rb'"([^"]+)"\s*:\s*\[\s*\{', begin):
            inside = shlex.quote(f'.["{rows[1].decode("utf-8", "replace")}"][]')
            return what, f"With jq: jq -c {inside} {file} > log.jsonl"
        return what, "Write one object for each event, on a line of its own, with user, item and time as its keys."
    lines = [line for line in begin.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return "holds nothing but blanks", "Check that it was copied completely."
    return (
        f"has no columns: no tab, comma, semicolon or | in its first line '{lines[0][:80]}'",
        "A log has at least a user, an item and a time in every row.",
    )


def _folder(folder: Path) -> DataError:
    files = parts(folder)
    if not files:
        return DataError(str(folder), "is a folder without files", READ, "Check the path.")
    names = [str(path.relative_to(folder)) for path in files]
    return DataError(
        str(folder),
        f"is a folder of {len(files):,} files that are not parts of one table: {_some(names)}",
        "files with the same columns, or one file",
        f"Name the file that holds the log, e.g. regraft data inspect {shlex.quote(str(files[0]))}",
    )


def _zip(path: Path) -> DataError:
    inside = members(path)
    if any(PurePosixPath(name).parts[0] == "xl" for name in inside):
        return DataError(str(path), "is an Excel workbook (.xlsx)", READ, EXPORT)
    if "content.xml" in inside and "mimetype" in inside:
        return DataError(str(path), "is an OpenDocument file", READ, EXPORT)
    if all(name.endswith(".npy") for name in inside):
        return DataError(str(path), "holds NumPy arrays" if inside else "is a zip without files", READ, FRAME)
    return DataError(
        str(path),
        f"is a zip of {len(inside):,} files, of which not exactly one is a log: {_some(inside)}",
        READ,
        f"Unpack it and name the log: unzip {shlex.quote(str(path))}",
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _tables(path: Path) -> list[str]:
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        finally:
            database.close()
    except sqlite3.Error:
        return []
    return [name for (name,) in found]
