"""Offer: an estimate corrected by own runs, with the prices of a book, as a line of a quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from petahour.billing.book import PriceBook
from petahour.billing.mean_price import mean_price
from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.model.jobs import Tier
from petahour.model.quotes import ExpectedStart, Interval, Objective, QuoteLine, TierPrice
from petahour.model.resources import Gang
from petahour.model.time import HOUR_MS, format_duration
from petahour.quoting.own_runs import LEAST_SPREAD, MOST_REACH, learn, spread_of

# By whether several numbers of accelerators were tried.
_LATE = {
    True: "no size on this type meets the deadline of {}; the fastest is shown",
    False: "it is expected to run for longer than the deadline of {}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """The book that a quote's prices are of, the tenant they are for, and the earliest begin of a run.

    ``posted``: by type, the last posted price of spot.
    """

    book: PriceBook
    tenant: str
    from_ms: int
    posted: Mapping[str, int] = field(default_factory=dict)


def offer(
    estimate: TypeEstimate,
    *,
    ratios: Sequence[float] = (),
    prices: Prices | None = None,
    start: ExpectedStart | None = None,
    gang: Gang | None = None,
    deadline_ms: int | None = None,
) -> QuoteLine:
    """The line of an estimate. ``ratios`` are measured over modelled run times of own runs of this type and work.

    It is late when it is expected to run for more than ``deadline_ms``.
    """
    run_ms, factor, runs = _run(estimate, ratios)
    late = deadline_ms is not None and run_ms.expected > deadline_ms
    return QuoteLine(
        type=estimate.type,
        accelerators=estimate.accelerators,
        plan=estimate.plan,
        run_ms=run_ms,
        modelled_ms=max(1, round(estimate.run_s * 1000)),
        correction=factor,
        own_runs=runs,
        step_ms=None if estimate.step_s is None else estimate.step_s * 1000,
        petaflop_hours=estimate.petaflop_hours,
        energy_kwh=None if estimate.energy_kwh is None else estimate.energy_kwh * factor,
        memory_part=estimate.memory_part,
        limit=estimate.limit,
        nodes=None if gang is None else gang.nodes,
        per_node=None if gang is None else gang.accelerators_per_node,
        prices=() if prices is None else _prices(prices, estimate, run_ms, start),
        start=start,
        choices=tuple(replace(choice, run_ms=round(choice.run_ms * factor)) for choice in estimate.choices),
        details=estimate.details,
        notes=(_LATE[bool(estimate.choices)].format(format_duration(deadline_ms or 0)),) * late + estimate.notes,
        late=late,
    )


def best_first(lines: Sequence[QuoteLine], objective: Objective, tier: Tier) -> list[QuoteLine]:
    """The lines by the objective; last come those without its figure, the late ones by time, and those that cannot
    run here."""

    def place(line: QuoteLine) -> tuple[bool, bool, bool, float, float]:
        price = line.price(tier)
        wanted: dict[Objective, float | None] = {
            Objective.CHEAPEST: None if price is None else price.total_micros.expected,
            Objective.FASTEST: line.run_ms.expected,
            Objective.LEAST_ENERGY: line.energy_kwh,
        }
        figure = wanted[Objective.FASTEST if line.late else objective]
        never = line.start is not None and line.start.never is not None
        return never, line.late, figure is None, figure or 0.0, float(line.accelerator_ms.expected)

    return sorted(lines, key=place)


def _run(estimate: TypeEstimate, ratios: Sequence[float]) -> tuple[Interval, float, int]:
    low_s, high_s, factor, runs = estimate.low_s, estimate.high_s, 1.0, 0
    expected_s = estimate.run_s
    if estimate.learns and ratios:
        known = learn(ratios, spread=spread_of(low_s, high_s))
        factor, runs = known.factor, known.runs
        expected_s *= factor
        # The interval keeps its shape: what it reaches to either side grows or shrinks with the spread.
        reach = known.spread / max(LEAST_SPREAD, spread_of(low_s, high_s))
        low_s = expected_s * (low_s / estimate.run_s) ** reach
        high_s = expected_s * (high_s / estimate.run_s) ** reach
    low_s, high_s = max(low_s, expected_s / MOST_REACH), min(high_s, expected_s * MOST_REACH)
    whole = Interval(
        low=max(1, round(low_s * 1000)), expected=max(1, round(expected_s * 1000)), high=max(1, round(high_s * 1000))
    )
    return whole, factor, runs


def _prices(
    prices: Prices, estimate: TypeEstimate, run_ms: Interval, start: ExpectedStart | None
) -> tuple[TierPrice, ...]:
    begins_ms = prices.from_ms if start is None or start.median_ms is None else start.median_ms
    accelerator_ms = run_ms.times(estimate.accelerators)
    found = []
    for tier in Tier:
        price = mean_price(
            prices.book,
            tenant=prices.tenant,
            type=estimate.type,
            tier=tier,
            from_ms=begins_ms,
            duration_ms=run_ms.expected,
            posted_micros=prices.posted.get(estimate.type),
        )
        if price is not None:
            total = Interval(
                low=_amount(price, accelerator_ms.low),
                expected=_amount(price, accelerator_ms.expected),
                high=_amount(price, accelerator_ms.high),
            )
            found.append(TierPrice(tier=tier, price_micros=price, total_micros=total))
    return tuple(found)


def _amount(price_micros: int, accelerator_ms: int) -> int:
    # Whole numbers throughout: a quote is not a charge, and need not be rounded like one.
    return (price_micros * accelerator_ms + HOUR_MS // 2) // HOUR_MS
