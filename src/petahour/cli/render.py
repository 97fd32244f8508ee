"""How results are shown: tables for people, JSON for programs, progress on stderr.

In a pipe there are no colours and lines are as long as they need to be; identifiers are never cut.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Literal

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from petahour.model.money import format_micros
from petahour.model.time import HOUR_MS, format_duration, to_datetime, to_iso

if TYPE_CHECKING:
    from petahour.client.promises import Seat
    from petahour.client.types import HeldSlot


PIPE_WIDTH = 10_000
LEAST_WRAPPED = 10  # the least width of a column that wraps
STATE_STYLES = {
    "running": "green",
    "succeeded": "green",
    "up": "green",
    "queued": "yellow",
    "starting": "cyan",
    "stopping": "yellow",
    "preempted": "yellow",
    "draining": "yellow",
    "failed": "red",
    "cancelled": "dim",
    "down": "red",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A table's column. ``wraps``: free text that may take several lines; all else stays on one."""

    title: str
    right: bool = False
    wraps: bool = False
    state: bool = False


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr: as wide as the terminal, or as needed in a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)


def clean(value: object) -> str:
    """Text on one line without control characters, which could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def make_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, gap: int = 2) -> Table:
    """A table without lines around it, at least as wide as what may not wrap. None shows as a dash."""
    cells = [[_cell(column, value) for column, value in zip(columns, row, strict=True)] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    needed = gap * (len(columns) - 1)
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, no_wrap=not column.wraps, overflow="fold")
        longest = max([len(column.title), *(row[number].cell_len for row in cells)])
        needed += min(longest, LEAST_WRAPPED) if column.wraps else longest
    table.min_width = needed
    for row in cells:
        table.add_row(*row)
    return table


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table, or one line saying that there is nothing."""
    held = list(rows)
    if held:
        print_plain(make_table(columns, held))
    else:
        typer.echo(empty)


def show_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other; None is left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value is not None:
            style = STATE_STYLES.get(str(value), "") if name in ("state", "status") else ""
            table.add_row(name, Text(clean(value), style=style))
    print_plain(table)


def print_plain(shown: Table, *, title: str | None = None) -> None:
    """Print a table under its title, in a pipe without blanks at the ends of lines."""
    target = console()
    if title is not None:
        typer.echo(title)
    if target.is_terminal:
        if shown.min_width is not None and shown.min_width > target.width:
            shown.width = shown.min_width  # The terminal breaks such lines; cut identifiers would be of no use.
        target.print(shown, crop=False)
        return
    with target.capture() as captured:
        target.print(shown)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def show_json(value: object) -> None:
    """Print one JSON document: dataclasses as objects, tuples as lists."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: object) -> object:
    """Dataclasses, mappings and sequences as what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def progress(text: str) -> AbstractContextManager[object]:
    """A spinner on stderr while something takes long; nothing where stderr is not a terminal."""
    return Status(Text(text), console=console(stderr=True))


def money(micros: int, currency: str) -> str:
    return f"{format_micros(micros, currency)} {currency}"


def instant(at_ms: int | None) -> str | None:
    """``2026-03-01 12:00:05 UTC``."""
    return None if at_ms is None else f"{to_datetime(at_ms):%Y-%m-%d %H:%M:%S} UTC"


def precise(at_ms: int) -> str:
    """``12:00:05.123Z`` with its date."""
    return to_iso(at_ms).replace("T", " ")


def duration(span_ms: int) -> str:
    return format_duration(max(0, span_ms))


def ranges(indexes: Iterable[int]) -> str:
    """``[0, 1, 2, 5]`` to ``0-2,5``."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def places(slots: Iterable[HeldSlot | Seat]) -> str:
    """``a100-1[0-7], a100-2[0,2]``: accelerators of nodes."""
    return ", ".join(f"{slot.node}[{ranges(slot.indexes)}]" for slot in slots)


def hours(accelerator_ms: int) -> str:
    """Accelerator-hours with four decimals, for reading only."""
    return f"{accelerator_ms / HOUR_MS:,.4f}"


def brief(at_ms: int) -> str:
    """``03-01 12:00:05``, in UTC, where the year is known."""
    return f"{to_datetime(at_ms):%m-%d %H:%M:%S}"


def yes(flag: bool) -> str:
    return "yes" if flag else ""


def _cell(column: Column, value: object) -> Text:
    text = clean("-" if value is None else value)
    return Text(text, style=STATE_STYLES.get(text, "") if column.state else "")
