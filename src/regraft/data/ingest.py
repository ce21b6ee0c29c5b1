"""From a file to one validated log: detect the format, read it, set bad rows aside, complete the items.

What concerns the whole log is decided here, whatever the format: exact copies, how many bad rows are too
many, items without a title. Rows in = accepted + quarantined, always.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from regraft import plugins
from regraft.data.interactions import REASONS, empty_quarantine, empty_rows
from regraft.data.readers._files import Source, is_zip
from regraft.data.readers.lines import set_aside
from regraft.data.readers.table import Mapping
from regraft.errors import DataError, MissingExtraError, PluginError
from regraft.files import MARK, whole

LIMIT = 0.01  # share of rows that may be set aside for one reason
KEY = ("user_id", "item_id", "timestamp", "event", "value")  # what makes two rows copies of each other
# What was expected of a row set aside for reasons that are the same in every format.
EXPECTED = {"duplicate": "every rating once", "future": "times up to the present"}
CALLED = "they are called 'item <id>'"


@dataclass(frozen=True)
class Ingested:
    """One log, ready for use."""

    interactions: pl.DataFrame  # schema INTERACTIONS, in file order
    items: pl.DataFrame  # item_id, title and attributes, all strings; holds every item of the log
    rejected: pl.DataFrame  # schema QUARANTINE, in file order
    reader: str  # name of the reader plug-in
    rows_in: int  # rows of the source = len(interactions) + len(rejected)
    warnings: list[str]
    digest: str  # SHA-256 of the source file; of a list of files, of their `sha256sum` listing


def detect(path: Path) -> tuple[str, str]:
    """The name of the reader that knows this file or folder, and what it recognised, in words.

    The reader 'table' knows many files, so it is asked last. Raises DataError where nobody knows it.
    """
    path = _existing(path)
    known = sorted(plugins.plugins("readers"), key=lambda plugin: plugin.name == "table")
    for plugin in known:
        try:
            reader = plugins.load("readers", plugin.name)
        except (MissingExtraError, PluginError):  # `regraft doctor` tells; detection goes on with the others
            continue
        if found := reader.sniff(path):
            return plugin.name, found
    if path.is_file():
        Source(path).check()
    raise DataError(
        str(path),
        "is in no format that is known",
        "one of\n" + "\n".join(f"  {plugin.name}: {plugin.summary}" for plugin in known),
        "For a table, name its columns in a mapping: user_id, item_id, timestamp, value.",
    )


def ingest(
    path: Path,
    reader: str | None = None,
    mapping: Mapping | AnyMapping[str, Any] | None = None,
    limits: AnyMapping[str, float] | None = None,
    quarantine: bool | Path = False,
    items: Path | None = None,
    now: datetime | None = None,
) -> Ingested:
    """The log at `path` in the canonical schema, its items, and the rows that were set aside.

    `limits` gives the highest share of rows per reason (default 1 %); above it, DataError. With
    `quarantine`, only limits that are named hold, and with a path the rejected rows are written there
    (.parquet, .jsonl, else CSV). `mapping` belongs to the reader 'table' and selects it. `items` is an item
    file that does not lie beside the log. `now` decides which times lie in the future.
    """
    path, limits = _existing(path), _checked(limits)
    name = reader or ("table" if mapping is not None else detect(path)[0])
    module = plugins.load("readers", name)
    expected = getattr(module, "EXPECTED", f"rows in the format of the reader '{name}'")
    options = {"mapping": mapping, "file": items}
    _refuse_unknown(module, name, options)
    rows, rejected = _read(path, module, {"mapping": mapping, "now": now})
    rows_in = rows.height + rejected.height
    if not rows_in:
        raise DataError(str(path), "holds no rows", expected, "Check that the file is complete.")
    rows, copies = _without_copies(rows, _log_name(path, module))
    rejected = pl.concat([rejected, copies]).sort("line", maintain_order=True)
    if isinstance(quarantine, Path):
        _write(rejected, quarantine)
    _hold_limits(rejected, rows_in, limits, LIMIT if quarantine is False else 1.0, path, expected)
    catalogue, warnings = _complete(_call(module.items, path, options).collect(), rows)
    aside = [
        f"{count:,} of {rows_in:,} rows were set aside: {REASONS.get(reason, reason)}"
        for reason, count in rejected.group_by("reason", maintain_order=True).len().iter_rows()
    ]
    digest = _digest(_call(module.sources, path, options) if hasattr(module, "sources") else [path])
    return Ingested(rows, catalogue, rejected, name, rows_in, aside + warnings, digest)


def _existing(path: Path) -> Path:
    path = Path(path)
    if not path.exists():
        raise DataError(str(path), "does not exist", "a file or folder", "Check the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(str(path), "is empty", "a log of interactions", "Check that it was copied completely.")
    return path


def _checked(limits: AnyMapping[str, float] | None) -> dict[str, float]:
    for reason, share in (limits or {}).items():
        if reason not in REASONS:
            raise DataError("limits", f"'{reason}' is not a reason", f"one of {', '.join(REASONS)}")
        if isinstance(share, str | bool) or not 0 <= share <= 1:
            raise DataError("limits", f"{reason}: {share} is not a share", "a number from 0 to 1, e.g. 0.02 for 2 %")
    return dict(limits or {})


def _parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


def _refuse_unknown(module: ModuleType, name: str, options: AnyMapping[str, Any]) -> None:
    for option, value in options.items():
        if value is not None and option not in _parameters(module.items):
            word = "item file" if option == "file" else option
            raise DataError(f"reader '{name}'", f"takes no {word}", "a path alone", "Use the reader 'table'.")


def options_for(function: Callable[..., Any], options: AnyMapping[str, Any]) -> dict[str, Any]:
    """The options that are set and that a reader's function knows."""
    known = _parameters(function)
    return {key: value for key, value in options.items() if value is not None and key in known}


def _call(function: Callable[..., Any], path: Path, options: AnyMapping[str, Any]) -> Any:
    return function(path, **options_for(function, options))


def _read(path: Path, module: ModuleType, options: AnyMapping[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    batches = list(_call(module.interactions, path, options))
    rows = pl.concat([empty_rows(), *(batch.rows for batch in batches)])
    return rows, pl.concat([empty_quarantine(), *(batch.rejected for batch in batches)])


def _without_copies(rows: pl.DataFrame, file: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without exact copies of earlier ones, and the copies, set aside.

    Rows without a value are never copies: in a log of clicks, a repeat is a second click.
    """
    keys = rows.select(*KEY)
    hashes = keys.hash_rows()
    if rows["value"].null_count() == rows.height or hashes.n_unique() == rows.height:
        return rows, empty_quarantine()
    # Only rows whose hash occurs twice need the slow, exact comparison.
    twice = rows.with_row_index("index").filter(hashes.is_duplicated() & rows["value"].is_not_null())
    copies = twice.filter(~pl.struct(*KEY).is_first_distinct())
    is_copy = pl.int_range(pl.len()).is_in(copies["index"].implode())
    texts = [json.dumps(row, default=str, ensure_ascii=False) for row in copies.select(*KEY).iter_rows(named=True)]
    reasons = ["duplicate"] * len(texts)
    return rows.filter(~is_copy), set_aside(file, copies["line"].to_list(), reasons, texts)


def _hold_limits(
    rejected: pl.DataFrame,
    rows_in: int,
    limits: AnyMapping[str, float],
    default: float,
    path: Path,
    expected: str,
) -> None:
    """Raises DataError for the most frequent reason whose share of the rows is above its limit."""
    for reason, count in rejected["reason"].value_counts(sort=True).iter_rows():
        limit, share = limits.get(reason, default), count / rows_in
        if share <= limit:
            continue
        first = rejected.filter(pl.col("reason") == reason).row(0, named=True)
        place = "row" if first["file"].endswith(".parquet") else "line"
        enough = math.ceil(share * 100) / 100
        raise DataError(
            f"{first['file']} {place} {first['line']}",
            f"{REASONS.get(reason, reason)}: '{first['text']}'",
            f"{EXPECTED.get(reason, expected)}. {count:,} of {rows_in:,} rows ({share:.2%}) are like this; "
            f"the limit is {limit:.2%}.",
            f"See them with: regraft data inspect {path} --quarantine\n"
            f"Or accept them: data.limits {{{reason}: {enough:g}}} in the YAML, arena init --limit {reason}={enough:g}",
        )


def _complete(catalogue: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The items of the catalogue and of the log, each once and with a title; and what had to be added."""
    warnings = []
    catalogue = catalogue.cast(pl.String).filter(pl.col("item_id").is_not_null() & (pl.col("item_id") != ""))
    once = catalogue.unique("item_id", keep="first", maintain_order=True)
    if repeated := catalogue.height - once.height:
        warnings.append(f"{repeated:,} rows of the item file repeat an item; the first one is kept")
    logged = rows.select(pl.col("item_id").unique(maintain_order=True))
    absent = logged.join(once, on="item_id", how="anti", maintain_order="left")
    untitled = pl.col("title").is_null() | (pl.col("title").str.strip_chars() == "")
    if absent.height:
        where = "in the item file" if once.height else "described: no item file was found"
        warnings.append(f"{absent.height:,} of {logged.height:,} items of the log are not {where}; {CALLED}")
    if without := once.filter(untitled).height:
        warnings.append(f"{without:,} of {once.height:,} items in the item file have no title; {CALLED}")
    title = pl.when(untitled).then(pl.lit("item ") + pl.col("item_id")).otherwise(pl.col("title"))
    return pl.concat([once, absent], how="diagonal").with_columns(title.alias("title")), warnings


def _log_name(path: Path, module: ModuleType) -> str:
    """The name of the log file itself, for rows that are set aside here."""
    return str(getattr(module, "LOG", path.name)) if path.is_dir() or is_zip(path) else path.name


def _write(rejected: pl.DataFrame, path: Path) -> None:
    endings: dict[str, Callable[[Path], object]] = {
        ".parquet": lambda part: rejected.write_parquet(part, metadata={"regraft": MARK}),
        ".jsonl": rejected.write_ndjson,
    }
    whole(path, endings.get(path.suffix, rejected.write_csv))


def _digest(paths: list[Path]) -> str:
    """SHA-256 of one file; of several, or of a folder's, that of their listing as `sha256sum` prints it."""
    found = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    sums = []
    for file in (file for file in found if file.is_file()):
        with file.open("rb") as stream:
            sums.append((hashlib.file_digest(stream, "sha256").hexdigest(), file.name))
    if len(sums) == 1:
        return sums[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in sums).encode()).hexdigest()
