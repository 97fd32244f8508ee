"""Measures: which figures a comparison shows, how they are written, and which of them is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf, isfinite

from petahour.simulator.report.summary import Summary


class Kind(Enum):
    """How a figure is written."""

    COUNT = "count"
    SPAN = "span"
    SHARE = "share"
    RATIO = "ratio"
    HOURS = "hours"  # of accelerators
    WAITED = "waited"  # hours of jobs, however many accelerators they ask for
    MONEY = "money"


class Better(Enum):
    """Which of two figures is the better one."""

    LESS = "less"
    MORE = "more"
    NEITHER = "neither"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A figure of ``Summary``: its field, its column title, and what it tells in a few words.

    ``brief`` measures are those that fit a terminal; ``compared`` ones are also given as a ratio to the first line.
    """

    field: str
    title: str
    told: str
    kind: Kind
    better: Better = Better.LESS
    brief: bool = False
    compared: bool = False

    def of(self, summary: Summary) -> float:
        return float(getattr(summary, self.field))


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One figure as text. ``ratio`` is empty for the first line and where there is nothing to compare."""

    text: str
    ratio: str = ""
    best: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A measure over all lines. ``unit`` goes below the title; empty where the figures speak for themselves."""

    measure: Measure
    unit: str
    cells: tuple[Shown, ...]


def _span(field: str, title: str, told: str, *, brief: bool = False) -> Measure:
    return Measure(field=field, title=title, told=told, kind=Kind.SPAN, brief=brief, compared=True)


MEASURES = (
    Measure(
        field="jobs",
        title="jobs",
        told="jobs that finished",
        kind=Kind.COUNT,
        better=Better.MORE,
        brief=True,
    ),
    _span("mean_completion_s", "mean completion", "from submission to the end, mean over finished jobs", brief=True),
    _span("median_completion_s", "median completion", "half of the finished jobs took no longer"),
    _span("p99_completion_s", "p99 completion", "99 % of the finished jobs took no longer"),
    _span("mean_wait_s", "mean wait", "from submission to the first start", brief=True),
    _span("p99_wait_s", "p99 wait", "99 % of the finished jobs first started within it", brief=True),
    _span("mean_queued_s", "mean queued", "all time not running, waits after preemptions included", brief=True),
    Measure(
        field="mean_slowdown",
        title="mean slowdown",
        told="completion over duration, a duration counting as 10 s at least",
        kind=Kind.RATIO,
    ),
    _span("makespan_s", "makespan", "from the first submission to the last end", brief=True),
    Measure(
        field="occupancy",
        title="occupancy",
        told="accelerator time held by runs over accelerator time in service, over the makespan",
        kind=Kind.SHARE,
        better=Better.MORE,
        brief=True,
    ),
    Measure(
        field="fragmentation",
        title="fragmentation",
        told="of the free accelerator time, the part on nodes that something else held in part",
        kind=Kind.SHARE,
    ),
    Measure(
        field="jain",
        title="Jain index",
        told="evenness of the tenants' finish-time ratios: 1 when all are equal",
        kind=Kind.RATIO,
        better=Better.MORE,
        brief=True,
    ),
    Measure(
        field="preemptions",
        title="preemptions",
        told="runs stopped for another job",
        kind=Kind.COUNT,
        brief=True,
    ),
    Measure(
        field="lost_accelerator_hours",
        title="lost work",
        told="accelerator-hours that bore no fruit: restarts, and work repeated since the last checkpoint",
        kind=Kind.HOURS,
    ),
    Measure(
        field="revenue",
        title="revenue",
        told="what the tenants owe for it",
        kind=Kind.MONEY,
        better=Better.NEITHER,
        brief=True,
        compared=True,
    ),
    Measure(
        field="held_by_price_hours",
        title="held by price",
        told="hours that jobs waited because spot cost more than their limit",
        kind=Kind.WAITED,
        better=Better.NEITHER,
        brief=True,
    ),
    Measure(
        field="waived_accelerator_hours",
        title="waived time",
        told="accelerator-hours not billed: lost with a node or an accelerator, or spent on starting again",
        kind=Kind.HOURS,
    ),
)
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_MOST_IN_UNIT = 10_000.0  # beyond it a figure is easier to read in the next unit


def columns_of(summaries: Sequence[Summary], *, brief: bool = False) -> list[Column]:
    """The measures over all summaries, best ones marked (no mark where all are equal).

    Left out is what says nothing here: evenness of a single tenant, queueing that is all before the first start,
    lost work where none was.
    """
    return [
        _column(measure, summaries)
        for measure in MEASURES
        if (measure.brief or not brief) and any(_tells(measure, summary) for summary in summaries)
    ]


def unit_of(spans_s: Sequence[float]) -> tuple[float, str]:
    """(seconds, name) of the unit in which a column of spans reads best: the least of them is 1 or more in it.

    Where the greatest then needs five digits, the next greater unit is taken.
    """
    known = [span for span in spans_s if isfinite(span) and span > 0]
    if not known:
        return _UNITS[-1]
    place = next((i for i, (unit_s, _) in enumerate(_UNITS) if min(known) >= unit_s), len(_UNITS) - 1)
    while place > 0 and max(known) / _UNITS[place][0] >= _MOST_IN_UNIT:
        place -= 1
    return _UNITS[place]


def span_text(span_s: float) -> str:
    """One span with its unit: ``9.5 h``."""
    if not isfinite(span_s):
        return "-"
    unit_s, name = unit_of([span_s])
    return f"{figure(span_s / unit_s)} {name}"


def figure(value: float) -> str:
    """A number with three digits, or with all those before the point: ``0.213``, ``4.07``, ``38.2``, ``1,204``."""
    if not isfinite(value):
        return "-"
    size = abs(value)
    digits = 0 if size >= 99.95 or size == 0 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3
    return f"{value:,.{digits}f}"


def share_text(value: float) -> str:
    """``71.3 %``."""
    return f"{100 * value:.1f} %" if isfinite(value) else "-"


def best_of(values: Sequence[float], better: Better) -> float | None:
    """The best of the values; None where none is better than another."""
    known = [value for value in values if isfinite(value)]
    if better is Better.NEITHER or len(set(known)) < 2:
        return None
    return max(known) if better is Better.MORE else min(known)


def _tells(measure: Measure, summary: Summary) -> bool:
    if measure.field == "jain":
        return len(summary.tenants) > 1
    if measure.field == "mean_queued_s":
        return summary.mean_queued_s != summary.mean_wait_s and isfinite(summary.mean_queued_s)
    if measure.field == "lost_accelerator_hours":
        return summary.lost_accelerator_hours > 0
    if measure.field in ("revenue", "waived_accelerator_hours"):
        return summary.bill is not None
    if measure.field == "held_by_price_hours":
        return summary.bill is not None and summary.bill.held is not None
    return True


def _column(measure: Measure, summaries: Sequence[Summary]) -> Column:
    values = [measure.of(summary) for summary in summaries]
    unit_s, unit = unit_of(values) if measure.kind is Kind.SPAN else (1.0, fixed_unit(measure, summaries))
    texts = [_text(value, measure.kind, unit_s) for value in values]
    best = best_of(values, measure.better)
    return Column(
        measure=measure,
        unit=unit,
        cells=tuple(
            Shown(
                text=text,
                ratio=_ratio(value, values[0]) if measure.compared and place else "",
                best=best is not None and value == best,
            )
            for place, (text, value) in enumerate(zip(texts, values, strict=True))
        ),
    )


def _text(value: float, kind: Kind, unit_s: float) -> str:
    if kind is Kind.SHARE:
        return share_text(value)
    if kind is Kind.COUNT:
        return f"{value:,.0f}"
    return figure(value / unit_s)


def fixed_unit(measure: Measure, summaries: Sequence[Summary]) -> str:
    """The unit of what is no span of time; empty where the figures speak for themselves."""
    if measure.kind is Kind.MONEY:
        return next((summary.bill.currency for summary in summaries if summary.bill is not None), "")
    return {Kind.HOURS: "acc. h", Kind.WAITED: "h"}.get(measure.kind, "")


def _ratio(value: float, first: float) -> str:
    ratio = value / first if first > 0 else inf
    digits = 0 if ratio == 0 else 1 if ratio >= 9.995 else 2 if ratio >= 0.0995 else 3
    return f"{ratio:,.{digits}f}x" if isfinite(ratio) else ""
