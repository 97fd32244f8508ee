"""A report's chart as SVG: horizontal bars, stacked or side by side, that stand on white and on dark pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any, cast

from petahour.billing.reports.table import Cell, Holds, Report
from petahour.model.money import MICROS
from petahour.model.time import DAY_MS, HOUR_MS

_INK, _MUTED, _GRID = "#1f2933", "#616e7c", "#dfe4ea"
_COLOURS = ("#1d5c96", "#5b9bd5", "#2a9d80", "#8fc9a8", "#e0862b", "#b5a02a", "#b8c2cc", "#c8504f")
_MOST_BARS = 40
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "petahour",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
_SCALES = {Holds.MONEY: MICROS, Holds.HOURS: HOUR_MS, Holds.DURATION: DAY_MS}
_UNITS = {Holds.HOURS: "accelerator-hours", Holds.DURATION: "days"}


def chart(report: Report) -> str:
    """The series of the report's rows, the first row on top; totals and rows without figures are left out.

    At most the first forty rows are drawn. Money has one axis a currency: bars of two currencies do not compare.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    series = [report.columns[report.place(name)] for name in report.series]
    places = [report.place(name) for name in report.series]
    rows = [row for row in report.rows if "all" not in row[:2] and any(row[place] is not None for place in places)]
    rows = rows[:_MOST_BARS]
    holds = series[0].holds
    thick = 1 if report.stacked else len(series)
    heights = [0.6 + 0.32 * max(1, len(part)) * (1 + 0.45 * (thick - 1)) for _, part in _panels(report, rows, holds)]
    with rc_context(cast(Any, _SETTINGS)):
        drawn = Figure(figsize=(9.5, 0.7 + sum(heights)), layout="constrained")
        panels = drawn.subplots(len(heights), height_ratios=heights, squeeze=False)
        for axes, (unit, part) in zip(panels[:, 0], _panels(report, rows, holds), strict=True):
            values = [[_figure(row[place]) / _SCALES[holds] for row in part] for place in places]
            _draw(axes, values, [column.title.capitalize() for column in series], stacked=report.stacked)
            axes.set_yticks(range(len(part)), [_label(report, row) for row in part])
            axes.invert_yaxis()
            axes.grid(axis="x", color=_GRID, linewidth=0.7)
            axes.set_axisbelow(True)
            axes.set_xlabel(unit, color=_MUTED)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
            if not any(any(of_one) for of_one in values):
                axes.set_xlim(0, 1)  # else the axis of nothing is centred on zero, below it as above it
                axes.set_xticks([0])
            if not part:
                axes.text(0.5, 0.5, "Nothing to show", transform=axes.transAxes, ha="center", color=_MUTED)
        drawn.suptitle(report.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if len(series) > 1 and rows:
            handles, names = panels[0, 0].get_legend_handles_labels()
            drawn.legend(handles, names, loc="outside lower center", ncols=len(series))
        out = StringIO()
        drawn.savefig(out, format="svg", metadata={"Date": None, "Creator": "Petahour"})
    return out.getvalue()


def _panels(
    report: Report, rows: Sequence[Sequence[Cell]], holds: Holds
) -> Sequence[tuple[str, Sequence[Sequence[Cell]]]]:
    """The rows that share an axis, with its unit."""
    if holds is not Holds.MONEY:
        return [(_UNITS[holds], rows)]
    place = report.place("currency")
    currencies = dict.fromkeys(str(row[place]) for row in rows) or {"": None}
    return [(name, [row for row in rows if str(row[place]) == name]) for name in currencies]


def _draw(axes: Any, values: Sequence[Sequence[float]], names: Sequence[str], *, stacked: bool) -> None:
    count = len(values[0])
    height = 0.66 if stacked else 0.8 / len(values)
    begin = [0.0] * count
    for number, (row, name) in enumerate(zip(values, names, strict=True)):
        shift = 0.0 if stacked else (number - (len(values) - 1) / 2) * height
        where = [place + shift for place in range(count)]
        axes.barh(
            where, row, height, left=begin if stacked else None, label=name, color=_COLOURS[number % len(_COLOURS)]
        )
        if stacked:
            begin = [low + more for low, more in zip(begin, row, strict=True)]


def _label(report: Report, row: Sequence[Cell]) -> str:
    return " ".join(str(row[report.place(name)]) for name in report.labels if row[report.place(name)])


def _figure(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int) else 0.0
