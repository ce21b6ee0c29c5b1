"""A run of the arena as it goes: a live table on a terminal, a line per cell elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from regraft.cli.show import console, duration, say, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from regraft.arena.cell import Cell
    from regraft.arena.compare import Arena
    from regraft.arena.rung_reports import RungDone
    from regraft.arena.scoreboard import Scoreboard
    from regraft.cost import Renewal

    Cells = Iterator[tuple[Cell, Renewal | None]]


def follow(arena: Arena, cells: Cells) -> bool:
    """Shows cells of the arena as they are finished; whether every one is there at the end.

    Stopped with Ctrl-C, it first gathers what was finished.
    """
    from regraft.arena.scoreboard import Scoreboard

    board = Scoreboard(arena)
    try:
        (_table if sys.stdout.isatty() else _lines)(cells, board)
    except KeyboardInterrupt:
        if board.finished:
            arena.collect()
        raise
    return board.next is None


def rung_done(arena: Arena, done: RungDone) -> None:
    """Says that one more rung is there, and at the last classical one what there is to know and what the rest takes."""
    if not done.classical:
        say(f"Rung done: {done.rung}; report at {done.report}")
        return
    from regraft.arena.plan import seconds_left

    say(done.answer)
    say(f"Classical rungs are done: report at {done.report}; Ctrl-C keeps what is there")
    say(f"The rest takes about {duration(seconds_left(arena))}")


def _lines(cells: Cells, board: Scoreboard) -> None:
    began, found = time.monotonic(), 0
    for cell, renewal in cells:
        value = board.add(cell)
        if renewal is None:
            found += 1
            continue
        if found:
            say(f"{found} cells were there already")
            found = 0
        place = f"[{board.finished}/{len(board.cells)}]"
        say(f"{place} {cell}: AUC {value:.4f}, {duration(time.monotonic() - began)} since the start")
    if found:
        say(f"{found} cells were there already")


def _table(cells: Cells, board: Scoreboard) -> None:
    from rich.live import Live

    began = time.monotonic()
    with Live(console=console(), get_renderable=lambda: _picture(board, began), refresh_per_second=2) as live:
        for cell, _ in cells:
            board.add(cell)
        live.refresh()


def _picture(board: Scoreboard, began: float) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = [
        {
            "contender": name,
            "cells": f"{score.finished}/{score.cells}",
            "mean AUC": "" if score.auc is None else f"{score.auc:.4f}",
            "CPU s": f"{score.seconds:,.1f}",
        }
        for name, score in board.scores.items()
    ]
    now, elapsed = board.next, duration(time.monotonic() - began)
    doing = f"now: {now}" if now else "done"
    return Group(table(rows), Text(f"{board.finished} of {len(board.cells)} cells, {elapsed}; {doing}"))
