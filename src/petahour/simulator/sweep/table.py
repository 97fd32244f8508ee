"""The table of a sweep: one line per fleet and policy, each figure with its interval."""

from __future__ import annotations

from collections.abc import Sequence

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


def sweep_table(rows: Sequence[Row]) -> Table:
    """Means over the seeds with the half widths of their 95 % intervals; ``*`` marks a fleet's best mean."""
    groups = grouped(rows)
    fleets = list(dict.fromkeys(fleet for fleet, _ in groups))
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    heads = ["fleet", "policy", "seeds"] if len(fleets) > 1 else ["policy", "seeds"]
    lines = [[*key[-len(heads) + 1 :], str(len(held))] for key, held in groups.items()]
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
    for place, head in enumerate(heads):
        left = place < heads.index("seeds")
        table.add_column(head, justify="left" if left else "right", no_wrap=True)
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
