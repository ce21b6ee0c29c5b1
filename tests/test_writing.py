"""Everything that regraft writes goes through files.py: whole or not at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import regraft

SOURCE = Path(regraft.__file__).parent
WRITERS = {
    *("write_text", "write_bytes", "write_parquet", "write_csv", "write_ndjson", "write_json", "write_ipc"),
    *("sink_parquet", "sink_csv", "sink_ndjson", "savefig", "save_file", "savez", "savez_compressed", "savetxt"),
    *("save_pretrained", "tofile", "dump", "rename", "renames", "unlink", "rmdir", "rmtree", "removedirs", "mkdir"),
    *("makedirs", "touch", "symlink_to", "hardlink_to", "copy2", "copyfile", "copytree", "move"),
}
PREPARED = {"part", "staging"}  # parameters by which a function is handed the place that files.py prepared
# What writes elsewhere, and why it may.
ALLOWED = {
    ("testing/check_reader.py", "write_bytes"): "a temporary folder of its own",
    ("testing/check_reader.py", "mkdir"): "a temporary folder of its own",
    ("lm/import_gguf.py", "symlink_to"): "a temporary folder of its own",
    ("lm/kept_files.py", "rmdir"): "an empty folder",
    ("report/drawing.py", "savefig"): "a buffer in memory",
    ("testing/check_baseline.py", "savez"): "a buffer in memory",
    ("data/readers/table.py", "rename"): "columns of a frame",
    ("release/ingest.py", "rename"): "columns of a frame",
    ("setup/site.py", "rename"): "columns of a frame",
    ("release/feedback.py", "rename"): "columns of a frame",
    ("release/publish.py", "move"): "an alias in the database",
    ("data/spool.py", "unlink"): "a segment that was taken in, under a lock that its writer holds",
    ("privacy/certificate.py", "mkdir"): "the folder of the key",
    ("release/promote.py", "move"): "an alias in the database",
    ("release/journal.py", "open"): "appended lines of a log",
    ("release/journal.py", "mkdir"): "the folder of the log",
    ("release/recovery.py", "rename"): "a complete folder back to where it was staged",
    ("release/recovery.py", "mkdir"): "the folder of a run's staged contenders",
    ("state/versions.py", "move"): "an alias in the database",
    ("data/spool.py", "open"): "appended lines, on the disk before they are acknowledged",
    ("data/spool.py", "mkdir"): "the folder of the spool",
    ("data/pseudonyms.py", "mkdir"): "the folder of the key",
    ("release/ingest.py", "mkdir"): "the folder of rows that are set aside",
    ("release/init.py", "mkdir"): "the folder of a new site",
    ("setup/site.py", "mkdir"): "folders of a site",
    ("pilot/conduct.py", "move"): "an alias in the database",
    ("dashboard/demo.py", "write_csv"): "a text in memory",
    ("setup/manifest.py", "write_text"): "a staging folder, renamed when it is complete",
    ("setup/manifest.py", "rename"): "a complete folder to its immutable name",
}


def calls_of(tree: ast.AST) -> Iterator[tuple[ast.Call, list[ast.AST]]]:
    """Every call with the nodes around it, the outermost first."""
    stack: list[tuple[ast.AST, list[ast.AST]]] = [(tree, [])]
    while stack:
        node, around = stack.pop()
        if isinstance(node, ast.Call):
            yield node, around
        stack += [(child, [*around, node]) for child in ast.iter_child_nodes(node)]


def name_of(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


def writes(call: ast.Call) -> str:
    """The name of what writes; empty where the call only reads."""
    name = name_of(call.func)
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if name == "open":
        given = call.args[1 if owner is None else 0 :] + [key.value for key in call.keywords if key.arg == "mode"]
        modes = [str(one.value) for one in given if isinstance(one, ast.Constant)]
        return name if any(set(mode) & set("wax+") for mode in modes) else ""
    if name == "replace":  # of a path: one argument; of a text: two
        return name if owner is not None and len(call.args) == 1 and not call.keywords else ""
    if name == "save":
        return name if isinstance(owner, ast.Name) and owner.id in ("np", "numpy", "torch") else ""
    ours = name == "write_text" and owner is None  # of files.py
    return name if name in WRITERS and not ours else ""


def prepared(around: list[ast.AST]) -> bool:
    """Whether the place was prepared by files.py: inside `whole(...)`, `with whole_folder(...)`, or handed over."""
    for node in around:
        if isinstance(node, ast.Call) and name_of(node.func) == "whole":
            return True
        if isinstance(node, ast.With) and any(
            isinstance(item.context_expr, ast.Call) and name_of(item.context_expr.func) == "whole_folder"
            for item in node.items
        ):
            return True
        if isinstance(node, ast.FunctionDef | ast.Lambda) and PREPARED & {one.arg for one in node.args.args}:
            return True
    return False


def found_in(text: str) -> set[str]:
    return {name for call, around in calls_of(ast.parse(text)) if (name := writes(call)) and not prepared(around)}


def test_nothing_is_written_but_through_files() -> None:
    direct = {
        (path.relative_to(SOURCE).as_posix(), name)
        for path in SOURCE.rglob("*.py")
        if path.name != "files.py"
        for name in found_in(path.read_text(encoding="utf-8"))
    }
    assert direct == set(ALLOWED)


def test_a_direct_write_would_be_found() -> None:
    assert found_in("frame.write_parquet(path)") == {"write_parquet"}
    assert found_in("with open(path, 'w') as file: file.write(text)") == {"open"}
    assert found_in("with path.open(mode='ab') as file: file.write(text)") == {"open"}
    assert found_in("np.save(path, array); staging.replace(path)") == {"save", "replace"}


def test_what_is_prepared_or_only_read_is_not() -> None:
    assert not found_in("whole(path, lambda part: part.write_text(text))")
    assert not found_in("with whole_folder(path) as staging: model.save_pretrained(staging)")
    assert not found_in("open(path).read(); path.open('rb'); text.replace('a', 'b'); blend.save(folder)")
