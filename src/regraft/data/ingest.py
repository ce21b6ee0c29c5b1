"""From a file to one validated log: detect the format, read it, set bad rows aside, complete the items.

What concerns the whole log is decided here, whatever the format: exact copies, how many bad rows are too
many, items without a title. Rows in = accepted + quarantined, always.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import polars as pl

from regraft import plugins
from regraft.data.copies import contradictions, copies_of_earlier
from regraft.data.described import complete
from regraft.data.interactions import EVENT_ID, REASONS, Batch, Catalogue, Cells, empty_quarantine, empty_rows
from regraft.data.readers import table
from regraft.data.readers._clock import word
from regraft.data.readers._files import is_zip
from regraft.data.readers._not_tables import READ
from regraft.data.readers.lines import set_aside
from regraft.data.readers.table import Mapping
from regraft.data.rejects import LIMIT, Asked, hold_limits
from regraft.errors import DataError, MissingExtraError, PluginError, RegraftError
from regraft.files import whole
from regraft.output_paths import MARK

T = TypeVar("T")
SHOWN = 4  # event_ids that stand in several rows
# What a reader's libraries raise where a file is not what it seems.
FOREIGN = (pl.exceptions.PolarsError, csv.Error, ValueError, ArithmeticError, LookupError, OSError, EOFError)


@dataclass(frozen=True)
class Ingested:
    """One log, ready for use."""

    interactions: pl.DataFrame  # schema INTERACTIONS, and EVENT_ID where the log has it; in file order
    items: pl.DataFrame  # item_id, title and attributes, all strings; holds every item of the log
    rejected: pl.DataFrame  # schema QUARANTINE, in file order
    reader: str  # name of the reader plug-in
    rows_in: int  # rows of the source = len(interactions) + len(rejected)
    warnings: list[str]
    digest: str  # SHA-256 of the source file; of a list of files, of their `sha256sum` listing
    items_rejected: pl.DataFrame = field(default_factory=empty_quarantine)  # rows of the item file; schema QUARANTINE


def detect(path: Path) -> tuple[str, str]:
    """The name of the reader that knows this file or folder, and what it recognised, in words.

    The reader 'table' knows many files, so it is asked last. Raises DataError where nobody knows it, which says
    what was found in it.
    """
    path = _existing(path)
    known = sorted(plugins.plugins("readers"), key=lambda plugin: plugin.name == "table")
    for plugin in known:
        try:
            reader = plugins.load("readers", plugin.name)
        except (MissingExtraError, PluginError):  # `regraft doctor` tells; detection goes on with the others
            continue
        if found := _sniffed(reader, path):
            return plugin.name, found
    error = table.explain(path)
    if error.expected == READ:
        others = ", ".join(plugin.name for plugin in known if plugin.name != "table")
        raise DataError(error.where, error.found, f"{error.expected}; or the format of {others}", error.next_step)
    raise error


def _sniffed(reader: ModuleType, path: Path) -> str | None:
    """What the reader recognised; a reader that fails has recognised nothing."""
    try:
        return reader.sniff(path)
    except (RegraftError, *FOREIGN):
        return None


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
    log = _Log(path, module, name)
    rows = log.read({"mapping": mapping, "now": now})
    rows_in = rows.height + log.rejected.height
    if not rows_in:
        raise DataError(str(path), "holds no rows", expected, "Check that the file is complete.")
    rows = log.without_copies(rows)
    rejected = log.aside()
    if isinstance(quarantine, Path):
        _write(rejected, quarantine)
    asked = Asked(path, reader, None if isinstance(mapping, Mapping) else mapping, name)
    hold_limits(rejected, rows_in, limits, LIMIT if quarantine is False else 1.0, log.cells, expected, asked)
    found = log.catalogue(options)
    catalogue, warnings = complete(found, rows, getattr(module, "AS_PUBLISHED", False))
    aside = [
        f"{count:,} of {rows_in:,} rows were set aside: {REASONS.get(reason, reason)}"
        for reason, count in rejected.group_by("reason", maintain_order=True).len().iter_rows()
    ]
    told = aside + _unusual(log.counts) + contradictions(rows) + warnings
    digest = _digest(_call(module.sources, path, options) if hasattr(module, "sources") else [path])
    return Ingested(rows, catalogue, rejected, name, rows_in, told, digest, found.rejected)


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


class _Log:
    """What one reader says about one log, and where its lines are."""

    def __init__(self, path: Path, module: ModuleType, name: str) -> None:
        self.path, self.module, self.name = path, module, name
        self.rejected = empty_quarantine()
        self.cells: dict[str, Cells] = {}
        self.counts: Counter[str] = Counter()
        self.files: dict[int, str] = {}  # lines before the file: its name

    def read(self, options: AnyMapping[str, Any]) -> pl.DataFrame:
        """The accepted rows; the others are kept in `rejected`."""
        batches: list[Batch] = self._guarded(lambda: list(_call(self.module.interactions, self.path, options)))
        for batch in batches:
            self.files[batch.offset] = batch.file or _log_name(self.path, self.module)
            self.counts.update(batch.counts)
            self.cells = {**batch.cells, **self.cells}
        self.rejected = pl.concat([empty_quarantine(), *(batch.rejected for batch in batches)])
        return pl.concat([empty_rows(), *(batch.rows for batch in batches)], how="diagonal")

    def without_copies(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows without copies of earlier ones, which are set aside."""
        is_copy = copies_of_earlier(rows)
        if not is_copy.any():
            return rows
        copies = rows.filter(is_copy)
        if EVENT_ID in copies.columns and copies[EVENT_ID].count():
            names = copies[EVENT_ID].drop_nulls().unique(maintain_order=True)
            self.cells["duplicate"] = Cells(EVENT_ID, tuple(names.head(SHOWN)))
        said = copies.drop("line").iter_rows(named=True)
        texts = [json.dumps(row, default=str, ensure_ascii=False) for row in said]
        again = set_aside("", copies["line"].to_list(), ["duplicate"] * len(texts), texts)
        self.rejected = pl.concat([self.rejected, again])
        return rows.filter(~is_copy)

    def aside(self) -> pl.DataFrame:
        """The rejected rows in the order of the log, each with its file and its line in that file."""
        ordered = self.rejected.sort("line", maintain_order=True)
        if not self.files:
            return ordered
        offsets = np.array(sorted(self.files), dtype=np.int64)
        at = np.searchsorted(offsets, ordered["line"].to_numpy(), side="left") - 1
        names = pl.Series([self.files[int(offsets[index])] for index in at], dtype=pl.String)
        named = names.zip_with(ordered["file"] == "", ordered["file"]).alias("file")
        return ordered.with_columns(named, pl.Series("line", ordered["line"].to_numpy() - offsets[at]))

    def catalogue(self, options: AnyMapping[str, Any]) -> Catalogue:
        """The items of the log."""
        if hasattr(self.module, "catalogue"):
            return self._guarded(lambda: _call(self.module.catalogue, self.path, options))
        frame = self._guarded(lambda: _call(self.module.items, self.path, options).collect())
        return Catalogue(frame, empty_quarantine())

    def _guarded(self, read: Callable[[], T]) -> T:
        """What `read` gives; an error of a library becomes one that names file and reader."""
        try:
            return read()
        except FOREIGN as error:
            reason = (str(error) or type(error).__name__).split("\n", 1)[0]
            raise DataError(
                str(self.path),
                f"could not be read by the reader '{self.name}': {reason}",
                getattr(self.module, "EXPECTED", "a file in the format of the reader"),
                "Check that the file is complete, or name another reader with --reader.",
            ) from error


def _unusual(counts: AnyMapping[str, int]) -> list[str]:
    """What was read in another way than most logs need."""
    told = []
    units = {key.removeprefix("time:"): n for key, n in counts.items() if key.startswith("time:")}
    if units.pop("float32", 0):
        told.append("times are floats of 32 bits, which have steps of 128 seconds: order and periods are that coarse")
    if len(units) > 1:
        mixed = ", ".join(f"{n:,} in {word(unit)}" for unit, n in sorted(units.items(), key=lambda one: -one[1]))
        told.append(f"times are of several kinds, {mixed}: every row was read by itself")
    if n := counts.get("value:comma"):
        told.append(f"{n:,} ratings with a decimal comma were read as numbers")
    if n := counts.get("value:out-of"):
        told.append(f"{n:,} ratings such as '4 out of 5' were read as their first number")
    if n := counts.get("value:true"):
        told.append(f"{n:,} ratings true and false were read as 1 and 0")
    return told


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
