"""The comparison of policies for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from petahour.simulator.report.measures import Column, Shown, columns_of
from petahour.simulator.report.summary import Summary

BEST = "*"
_GAP = 2


def comparison(summaries: Sequence[Summary]) -> Table:
    """One line per summary; ``*`` marks a column's best value, ``0.45x`` is the ratio to the first line.

    The table asks for the width that its longest cells need, so that a pipe gets whole figures.
    """
    columns = columns_of(summaries, brief=True)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    cells = [[Text(summary.policy) for summary in summaries], *(_cells(column) for column in columns)]
    titles = ["policy", *(_title(column) for column in columns)]
    table.add_column(titles[0], no_wrap=True)
    for title in titles[1:]:
        table.add_column(title, justify="right", no_wrap=True)
    for line in zip(*cells, strict=True):
        table.add_row(*line)
    widths = [
        max(*map(len, title.splitlines()), *(cell.cell_len for cell in held), 0)
        for title, held in zip(titles, cells, strict=True)
    ]
    table.min_width = sum(widths) + _GAP * (len(widths) - 1)
    return table


def _title(column: Column) -> str:
    """Two lines: ``mean`` over ``wait (h)``."""
    first, _, rest = column.measure.title.partition(" ")
    unit = f" ({column.unit})" if column.unit else ""
    return f"{first}\n{rest}{unit}" if rest else f"{first}{unit}"


def _cells(column: Column) -> list[Text]:
    """The figures, marks and ratios of a column, each aligned among themselves."""
    marked = any(cell.best for cell in column.cells)
    widest = max((len(cell.ratio) for cell in column.cells), default=0)
    return [_cell(cell, marked=marked, widest=widest) for cell in column.cells]


def _cell(cell: Shown, *, marked: bool, widest: int) -> Text:
    text = Text(cell.text, style="bold green" if cell.best else "")
    if marked:
        text.append(BEST if cell.best else " ")
    if widest:
        text.append(f" {cell.ratio:>{widest}}", style="dim")
    return text
