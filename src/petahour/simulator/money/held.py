"""Held by price: when jobs waited because spot cost more than their limit, and whether every limit was kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from petahour.billing.book import unit_price
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.simulator.finding import Finding
from petahour.simulator.money.posted import Posted, posted_of
from petahour.simulator.money.prices import Prices
from petahour.simulator.result import NEVER, Outcome, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldByPrice:
    """``jobs`` waited for a price for ``hours`` in all, counted once each; ``stops``: runs stopped by one."""

    jobs: int = 0
    hours: float = 0.0
    stops: int = 0


def held_by_price(result: Result, prices: Prices) -> HeldByPrice | None:
    """Where a job with a limit waited, and the price of the hour or the next was above it on all its types.

    Prices are those of the book in force, as the scheduler is told them. A job that never ends waits until the last
    price that was posted. None where no job has a limit.
    """
    if result.posted is None or all(job.limit_micros is None for job in result.trace.jobs):
        return None
    posted, jobs, held_ms = result.posted, 0, 0
    ends = [len(known) for known in posted.prices.values()]
    last_ms = max(
        int(result.runs.end_ms.max(initial=0)),
        posted.first_ms + (max(ends, default=2) - 2) * HOUR_MS - prices.begins_ms,
    )
    spans = _runs_of(result)
    for number, job in enumerate(result.trace.jobs):
        if job.limit_micros is None or number in result.impossible:
            continue
        types = [name for name in job.types or result.types if name in result.types]
        waited_ms = 0
        for from_ms, until_ms in _waits(result, number, spans.get(number, []), last_ms):
            at_ms = from_ms
            while at_ms < until_ms:
                calendar_ms = prices.begins_ms + at_ms
                next_ms = min(until_ms, at_ms + HOUR_MS - calendar_ms % HOUR_MS)
                if all(_asks(posted, prices, job.tenant, name, at_ms) > job.limit_micros for name in types):
                    waited_ms += next_ms - at_ms
                at_ms = next_ms
        jobs += waited_ms > 0
        held_ms += waited_ms
    stops = int((result.runs.outcome == Outcome.PRICED_OUT).sum())
    return HeldByPrice(jobs=jobs, hours=held_ms / HOUR_MS, stops=stops)


def limit_findings(result: Result, prices: Prices) -> Iterator[Finding]:
    """What is wrong: a start above a limit, a run that went on above one, prices that do not follow the runs."""
    if result.posted is None:
        return
    again = posted_of(result, prices)
    for name, known in again.prices.items():
        if result.posted.prices.get(name, [])[: len(known)] != known:
            yield Finding(rule="posted prices follow the runs", detail=f"spot of {name}")
    one_book = len(prices.books) == 1  # else a job may keep an older one's bounds
    for number, job_number in enumerate(result.runs.job.tolist()):
        job = result.trace.jobs[job_number]
        if job.limit_micros is None or result.runs.seated_until_ms[number] != NEVER:
            continue
        name = result.types[int(result.runs.type[number])]
        start_ms, end_ms = int(result.runs.start_ms[number]), int(result.runs.end_ms[number])
        if _asks(again, prices, job.tenant, name, start_ms) > job.limit_micros:
            yield Finding(rule="nobody starts above his limit", detail=f"job {job.id} at {start_ms} ms")
        hour_ms = start_ms + HOUR_MS - (prices.begins_ms + start_ms) % HOUR_MS
        while one_book and hour_ms < end_ms:
            if _price(again, prices, job.tenant, name, hour_ms, hour_ms) > job.limit_micros:
                yield Finding(rule="nobody runs on above his limit", detail=f"job {job.id} at {hour_ms} ms")
                break
            hour_ms += HOUR_MS


def _runs_of(result: Result) -> dict[int, list[tuple[int, int]]]:
    spans: dict[int, list[tuple[int, int]]] = {}
    columns = result.runs.job.tolist(), result.runs.start_ms.tolist(), result.runs.end_ms.tolist()
    for job, start_ms, end_ms in zip(*columns, strict=True):
        spans.setdefault(job, []).append((start_ms, end_ms))
    return spans


def _waits(result: Result, number: int, runs: list[tuple[int, int]], last_ms: int) -> Iterator[tuple[int, int]]:
    from_ms = result.trace.jobs[number].submit_ms
    for start_ms, end_ms in sorted(runs):
        yield from_ms, start_ms
        from_ms = end_ms
    if result.jobs.end_ms[number] == NEVER:
        yield from_ms, last_ms


def _asks(posted: Posted, prices: Prices, tenant: str, name: str, at_ms: int) -> int:
    """The higher price of this hour and the next in the book in force."""
    return max(_price(posted, prices, tenant, name, at_ms, when) for when in (at_ms, at_ms + HOUR_MS))


def _price(posted: Posted, prices: Prices, tenant: str, name: str, at_ms: int, when_ms: int) -> int:
    book, calendar_ms = prices.book_at(at_ms), prices.begins_ms + when_ms
    if book is None:
        return 0
    micros = posted.at(name, calendar_ms)
    price = unit_price(book, tenant=tenant, type=name, tier=Tier.SPOT, at_ms=calendar_ms, posted_micros=micros)
    return price or 0
