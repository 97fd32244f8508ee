"""The tables of a sweep: figures with their intervals per fleet and policy, and ratios to the first policy."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from rich.table import Table
from rich.text import Text

from petahour.simulator.report.measures import (
    MEASURES,
    Better,
    Kind,
    Measure,
    best_of,
    figure,
    fixed_unit,
    share_text,
    unit_of,
)
from petahour.simulator.sweep.grid import Row
from petahour.simulator.sweep.spread import Spread, spread_of

BEST = "*"
_GAP = 2
Group = tuple[str, str]  # fleet, policy


def grouped(rows: Sequence[Row]) -> dict[Group, list[Row]]:
    """The rows of each fleet and policy, in their order."""
    groups: dict[Group, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.cell.fleet, row.cell.policy), []).append(row)
    return groups


def ratios(rows: Sequence[Row], measure: Measure) -> dict[Group, Spread]:
    """Each policy's figure over that of its fleet's first policy, seed by seed: luck that both share cancels out.

    The first policies are not among the keys.
    """
    groups = grouped(rows)
    first: dict[str, list[Row]] = {}
    for (fleet, _), held in groups.items():
        first.setdefault(fleet, held)
    return {
        key: spread_of(
            [
                _over(measure.of(row.summary), measure.of(base.summary))
                for row, base in zip(held, first[key[0]], strict=True)
            ]
        )
        for key, held in groups.items()
        if held is not first[key[0]]
    }


def sweep_table(rows: Sequence[Row]) -> Table:
    """Means over the seeds with the half widths of their 95 % intervals; ``*`` marks a fleet's best mean."""
    groups = grouped(rows)
    heads, lines = _labels(list(groups))
    for line, held in zip(lines, groups.values(), strict=True):
        line.append(str(len(held)))
    heads.append("seeds")
    fleets = dict.fromkeys(fleet for fleet, _ in groups)
    for measure in (measure for measure in MEASURES if measure.brief):
        spreads = {key: spread_of([measure.of(row.summary) for row in held]) for key, held in groups.items()}
        if not any(spread.count for spread in spreads.values()):
            continue
        best = {
            fleet: best_of([spread.mean for key, spread in spreads.items() if key[0] == fleet], measure.better)
            for fleet in fleets
        }
        unit_s, unit = unit_of([spread.mean for spread in spreads.values()])
        if measure.kind is not Kind.SPAN:
            unit_s, unit = 1.0, fixed_unit(measure, [row.summary for row in rows])
        heads.append(_title(measure, unit))
        marked = measure.better is not Better.NEITHER and any(value is not None for value in best.values())
        for line, (key, spread) in zip(lines, spreads.items(), strict=True):
            mark = (BEST if spread.mean == best[key[0]] else " ") if marked else ""
            line.append(_text(spread, measure.kind, unit_s) + mark)
    return _table(heads, lines, lefts=len(_labels(list(groups))[0]))


def ratio_table(rows: Sequence[Row]) -> Table | None:
    """Ratios to the first policy, paired by seed; ``*`` where the interval leaves 1 out. None: nothing compares."""
    measures = [measure for measure in MEASURES if measure.brief and measure.compared]
    columns = [(measure, ratios(rows, measure)) for measure in measures]
    columns = [(measure, spreads) for measure, spreads in columns if any(one.count > 1 for one in spreads.values())]
    if not columns:
        return None
    heads, lines = _labels(list(columns[0][1]))
    lefts = len(heads)
    for measure, spreads in columns:
        heads.append(_title(measure, ""))
        for line, spread in zip(lines, spreads.values(), strict=True):
            line.append(f"{_ratio(spread)}{BEST if abs(spread.mean - 1.0) > spread.half else ' '}")
    return _table(heads, lines, lefts=lefts)


def _labels(keys: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """The first columns: the fleet where there are several, and the policy."""
    if len({fleet for fleet, _ in keys}) > 1:
        return ["fleet", "policy"], [[fleet, policy] for fleet, policy in keys]
    return ["policy"], [[policy] for _, policy in keys]


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]], *, lefts: int) -> Table:
    """A table as wide as its cells need, so that a pipe gets whole figures."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < lefts else "right", no_wrap=True)
    for line in lines:
        table.add_row(*(Text(cell, style="bold green" if cell.endswith(BEST) else "") for cell in line))
    columns = zip(heads, *lines, strict=True)
    table.min_width = sum(max(map(len, [*head.splitlines(), *cells])) + _GAP for head, *cells in columns) - _GAP
    return table


def _title(measure: Measure, unit: str) -> str:
    first, _, rest = measure.title.partition(" ")
    shown = f" ({unit})" if unit else ""
    return f"{first}\n{rest}{shown}" if rest else f"{first}{shown}"


def _text(spread: Spread, kind: Kind, unit_s: float) -> str:
    """``4.07 ± 0.12``; the mean alone where all are equal or there is one."""
    if kind is Kind.SHARE:
        mean, half = share_text(spread.mean), figure(100 * spread.half)
    else:
        mean, half = figure(spread.mean / unit_s), figure(spread.half / unit_s)
    return f"{mean} ± {half}" if spread.half > 0 else mean


def _ratio(spread: Spread) -> str:
    """``0.973 ± 0.004``."""
    return f"{spread.mean:.3f} ± {spread.half:.3f}" if spread.count > 1 else "-"


def _over(value: float, base: float) -> float:
    return value / base if base > 0 else nan
