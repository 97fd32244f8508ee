"""The bill of a replay: every run metered and rated by the same functions as a live control plane's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from petahour.billing.book import unit_price
from petahour.billing.commitments import cost_of, hours_of
from petahour.billing.meter import meter
from petahour.billing.rate import rate
from petahour.model.allocations import Allocation, AllocationState, EndKind, StopCause
from petahour.model.errors import InvariantError
from petahour.model.jobs import Tier
from petahour.model.promises import Reservation
from petahour.model.resources import Slot
from petahour.model.time import hour_floor
from petahour.model.usage import UsageRecord, WaiveReason
from petahour.simulator.fleet import ENGINE
from petahour.simulator.money.held import HeldByPrice, held_by_price
from petahour.simulator.money.kept import Kept, above
from petahour.simulator.money.posted import Posted, posted_of
from petahour.simulator.money.priced import priced
from petahour.simulator.money.prices import Prices
from petahour.simulator.result import NEVER, Outcome, Result

_ENDS = {
    Outcome.FINISHED: EndKind.SUCCEEDED,
    Outcome.PREEMPTED: EndKind.STOPPED,
    Outcome.DRAINED: EndKind.STOPPED,
    Outcome.PRICED_OUT: EndKind.STOPPED,
    Outcome.FAILED: EndKind.LOST,
}
_TOLD = (Outcome.PREEMPTED, Outcome.DRAINED, Outcome.PRICED_OUT)  # asked to yield, which takes no time in a replay


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What one tenant owes for one type and tier, reservations included. Times in accelerator-milliseconds.

    ``lost_ams`` is waived because a node or an accelerator failed, ``provisioning_ams`` because a stopped job was
    starting again.
    """

    tenant: str
    type: str
    tier: Tier
    revenue_micros: int
    billed_ams: int
    lost_ams: int
    provisioning_ams: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """All lines, by tenant, type and tier; the spot prices that were posted for them, and who waited for one."""

    currency: str
    lines: Sequence[Line]
    posted: Posted = field(default_factory=lambda: Posted(first_ms=0))
    held: HeldByPrice | None = None

    @property
    def revenue_micros(self) -> int:
        return sum(line.revenue_micros for line in self.lines)

    @property
    def billed_ams(self) -> int:
        return sum(line.billed_ams for line in self.lines)

    @property
    def waived_ams(self) -> int:
        return sum(line.lost_ams + line.provisioning_ams for line in self.lines)


def bill_of(result: Result, prices: Prices, *, restart_ms: int, preemptible: bool = False) -> Bill:
    """Meter and rate every run. ``restart_ms``: what a stopped job spends before it goes on, as it was replayed.

    Raises InvariantError where a run has no price.
    """
    sums: dict[tuple[str, str, Tier], list[int]] = {}
    amounts: dict[tuple[int, int], int] = {}  # by price and time: most records are whole hours of few kinds of gangs
    posted = posted_of(result, prices)
    usage = usage_of(result, prices, restart_ms=restart_ms, preemptible=preemptible)
    for record, book, price in priced(usage, prices, posted):
        key = (price, record.billed_ams)
        if key not in amounts:
            amounts[key] = rate(record, price_book=book, price_micros=price, currency=prices.currency).amount_micros
        line = sums.setdefault((record.tenant, record.type, record.tier), [0, 0, 0, 0])
        line[0] += amounts[key]
        line[1] += record.billed_ams
        line[2 if record.waive_reason is WaiveReason.LOST else 3] += record.waived_ams
    for reservation in result.reservations:
        whose = (reservation.tenant, reservation.type, Tier.RESERVED)
        sums.setdefault(whose, [0, 0, 0, 0])[0] += _committed(reservation, result, prices)
    return Bill(
        currency=prices.currency,
        posted=posted,
        held=held_by_price(result, prices),
        lines=tuple(
            Line(
                tenant=tenant,
                type=name,
                tier=tier,
                revenue_micros=revenue,
                billed_ams=billed,
                lost_ams=lost,
                provisioning_ams=provisioning,
            )
            for (tenant, name, tier), (revenue, billed, lost, provisioning) in sorted(sums.items())
        ),
    )


def _committed(reservation: Reservation, result: Result, prices: Prices) -> int:
    """What a reservation costs, used or not, hour by hour until its end or that of the replay."""
    shifted = replace(
        reservation,
        from_ms=prices.begins_ms + reservation.from_ms,
        to_ms=prices.begins_ms + reservation.to_ms,
    )
    last_ms = prices.begins_ms + int(result.runs.end_ms.max(initial=0))
    return sum(cost_of(shifted, *hour) for hour in hours_of(shifted, shifted.from_ms, last_ms))


def usage_of(
    result: Result, prices: Prices, *, restart_ms: int, preemptible: bool
) -> Iterator[tuple[Allocation, UsageRecord]]:
    """The usage records of all runs with their allocations, as a control plane would have written them.

    Hours are closed when they are over, so a run that is lost has its last, unfinished hour waived and no more. The
    time of a restart lies before the start of the first rank, and is provisioning.
    """
    for allocation in allocations_of(result, prices, restart_ms=restart_ms, preemptible=preemptible):
        left = allocation
        if allocation.end_kind is EndKind.LOST and allocation.started_ms is not None:
            ended_ms = allocation.ended_ms or 0
            records = meter(replace(allocation, ended_ms=None, end_kind=None), until_ms=hour_floor(ended_ms))
            yield from ((allocation, record) for record in records)
            if records:
                left = replace(allocation, metered_ms=records[-1].end_ms)
        yield from ((allocation, record) for record in meter(left, until_ms=left.ended_ms or 0))


def allocations_of(result: Result, prices: Prices, *, restart_ms: int, preemptible: bool) -> Iterator[Allocation]:
    """Every run as an ended allocation on the calendar, in order of their ends. Raises InvariantError: no price."""
    runs, placed, jobs = result.runs, result.placements, result.trace.jobs
    names = [node.name for node in result.nodes]
    edges = np.append(runs.first_placement, len(placed.run)).tolist()
    nodes, counts = placed.node.tolist(), placed.accelerators.tolist()
    slots: dict[tuple[int, int], Slot] = {}
    attempts: Counter[int] = Counter()
    kept = Kept(prices)
    posted = posted_of(result, prices) if any(job.limit_micros is not None for job in jobs) else Posted(first_ms=0)
    columns = (runs.job, runs.start_ms, runs.end_ms, runs.type, runs.outcome, runs.seated_until_ms)
    for number, (job_number, start_ms, end_ms, kind, outcome, seated_ms) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        job, name = jobs[job_number], result.types[kind]
        tier = Tier.SPOT if preemptible else job.tier
        placed_ms, ended_ms = prices.begins_ms + start_ms, prices.begins_ms + end_ms
        dear = partial(above, posted, job, name, placed_ms)
        book, promised_ms = kept.placed(job_number, job.walltime_ms, start_ms, dear)
        price = None if book is None else unit_price(book, tenant=job.tenant, type=name, tier=tier, at_ms=placed_ms)
        if book is None or price is None:
            raise InvariantError(rule="what runs has a price", value=(job.id, name, tier))
        held = []
        for place in range(edges[number], edges[number + 1]):
            key = nodes[place], counts[place]
            if key not in slots:
                slots[key] = Slot(node=names[key[0]], indexes=tuple(range(key[1])))
            held.append(slots[key])
        started_ms = placed_ms + (restart_ms if attempts[job_number] else 0)
        attempts[job_number] += 1
        kept.ran(job_number, ended_ms - started_ms)
        yield Allocation(
            id=f"run-{number}",
            job=job.id,
            tenant=job.tenant,
            project="",
            attempt=attempts[job_number],
            type=name,
            tier=tier,
            engine=ENGINE,
            slots=tuple(held),
            rehearsal=False,
            borrowed=False,
            price_book=book.id,
            price_micros=price,
            price_for_ms=promised_ms,
            limit_micros=job.limit_micros,
            currency=book.currency,
            reserved_until_ms=None if seated_ms == NEVER else prices.begins_ms + seated_ms,
            state=AllocationState.ENDED,
            placed_ms=placed_ms,
            started_ms=started_ms if started_ms <= ended_ms else None,
            ended_ms=ended_ms,
            stop_cause=StopCause.PREEMPTED if outcome in _TOLD else None,
            stop_ms=ended_ms if outcome in _TOLD else None,
            preempted_ms=ended_ms if outcome in _TOLD else None,
            end_kind=_ENDS[Outcome(outcome)],
        )
