"""So far: what was quoted of a job beside what it has taken and cost until now."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.control.prices import PriceBooks
from petahour.control.pricing import cost_micros
from petahour.model.allocations import Allocation
from petahour.model.jobs import Job
from petahour.model.quotes import QuotedJob
from petahour.store.protocol import Transaction


def quoted_job(
    tx: Transaction, prices: PriceBooks, job: Job, allocations: Sequence[Allocation], now_ms: int
) -> QuotedJob | None:
    """What was quoted of a job and what became of it so far; None where it was submitted under no quote."""
    quote = tx.quotes.of_job(job.id)
    if quote is None:
        return None
    kind = allocations[-1].type if allocations else job.spec.types[0]
    line = quote.line(kind)
    if line is None:
        return None
    bill = tx.quotes.billed([job.id]).get(job.id)
    ran_ams, spent_micros = (0, 0) if bill is None else (bill.accelerator_ms, bill.amount_micros)
    for allocation in allocations:
        since_ms = _open_since(allocation)
        if since_ms is not None and since_ms < now_ms:
            ran_ams += (now_ms - since_ms) * allocation.accelerators
            spent_micros += cost_micros(prices, allocation, start_ms=since_ms, duration_ms=now_ms - since_ms)
    price, promise = line.price(job.spec.tier), job.spec.promise
    return QuotedJob(
        quote=quote.id,
        work=quote.work,
        type=line.type,
        accelerators=line.accelerators,
        run_ms=line.run_ms,
        total_micros=None if price is None else price.total_micros,
        currency=quote.currency,
        price_book=None if promise is None else promise.price_book,
        promised_ms=None if promise is None else promise.for_ms,
        ran_ms=round(ran_ams / line.accelerators),
        spent_micros=spent_micros,
    )


def _open_since(allocation: Allocation) -> int | None:
    """From when on a run's time is in no usage record yet; None where it does not run."""
    if allocation.started_ms is None or allocation.ended_ms is not None:
        return None
    return max(allocation.started_ms, allocation.metered_ms or 0)
