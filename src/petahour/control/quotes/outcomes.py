"""Outcomes: what the jobs submitted under quotes took and were charged, beside what was quoted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.model.jobs import JobState
from petahour.model.quotes import Quote, QuoteLine
from petahour.model.tenants import Caller
from petahour.quoting.own_runs import LEAST_RATIO, MOST_RATIO, fair
from petahour.store.protocol import Billed, Transaction

REHEARSED = "it ran on rehearsal nodes, which have no accelerators"
UNLIKE = f"it took less than {LEAST_RATIO:g} or more than {MOST_RATIO:g} times as long as was quoted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A quote whose job has succeeded on one type. ``run_ms`` is what was billed over the gang's accelerators.

    ``charged_micros`` are in ``currency``; ``quoted_micros`` is what the line's price would be for the job's tier,
    None where that was not sold. ``error`` is quoted over measured run time, less one. ``set_aside`` says why the run
    is no fair sample of what was quoted: it counts in no mean and teaches nothing. None for a fair one.
    """

    quote: Quote
    line: QuoteLine
    job: str
    run_ms: int
    charged_micros: int
    quoted_micros: int | None
    currency: str
    error: float
    within: bool
    set_aside: str | None = None

    @property
    def ratio(self) -> float:
        """Measured over modelled run time: what later quotes learn from."""
        return self.run_ms / self.line.modelled_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Outcomes, newest first, and what the fair ones say together. Means are None without any of these.

    ``mape`` is the mean of the errors' sizes, ``bias`` the mean of the errors themselves, ``coverage`` the part of
    the runs that lay within their interval; 0.8 is promised. ``waiting`` quotes have a job that is not over,
    ``other`` one that failed, was cancelled, or ran on several types.
    """

    outcomes: tuple[Outcome, ...]
    mape: float | None
    bias: float | None
    coverage: float | None
    waiting: int
    other: int


def accuracy_for(context: Context, caller: Caller, tenant: str | None) -> Accuracy:
    """How right quotes were: a tenant's own, or all for the operator who names none."""
    wanted = tenant if caller.role.of_operator else (tenant or caller.tenant)
    authorize(caller, Action.READ_QUOTES, wanted)
    with context.store.read() as tx:
        used = tx.quotes.used(tenant=wanted, limit=context.settings.quotes_compared)
        states = {job.id: job.state for job in tx.jobs.many(quote.job for quote in used if quote.job)}
        outcomes = outcomes_of(tx, used)
    waiting = sum(1 for quote in used if not states[quote.job or ""].final)
    fairly = [outcome for outcome in outcomes if outcome.set_aside is None]
    errors = [outcome.error for outcome in fairly]
    return Accuracy(
        outcomes=tuple(outcomes),
        mape=_mean([abs(error) for error in errors]),
        bias=_mean(errors),
        coverage=_mean([float(outcome.within) for outcome in fairly]),
        waiting=waiting,
        other=len(used) - waiting - len(outcomes),
    )


def ratios_of(tx: Transaction, tenant: str, work: str, limit: int) -> dict[str, list[float]]:
    """By type: measured over modelled run times of the fair runs under this tenant's quotes of this work.

    One tenant's runs say nothing to another: who controls what runs would control what others are quoted.
    """
    found: dict[str, list[float]] = {}
    for outcome in outcomes_of(tx, tx.quotes.used(tenant=tenant, work=work, limit=limit)):
        if outcome.set_aside is None:
            found.setdefault(outcome.line.type, []).append(outcome.ratio)
    return found


def outcomes_of(tx: Transaction, used: Sequence[Quote]) -> list[Outcome]:
    """The outcomes of those of these quotes whose job has succeeded, in their order."""
    jobs = {job.id: job for job in tx.jobs.many(quote.job for quote in used if quote.job)}
    done = {name for name, job in jobs.items() if job.state is JobState.SUCCEEDED}
    billed = tx.quotes.billed(sorted(done))
    found = []
    for quote in used:
        bill = billed.get(quote.job or "")
        line = None if bill is None or bill.type is None else quote.line(bill.type)
        if quote.job is None or bill is None or line is None or not bill.accelerator_ms:
            continue
        price = line.price(jobs[quote.job].spec.tier)
        run_ms = max(1, round(bill.accelerator_ms / line.accelerators))
        found.append(
            Outcome(
                quote=quote,
                line=line,
                job=quote.job,
                run_ms=run_ms,
                charged_micros=bill.amount_micros,
                quoted_micros=None if price is None else price.total_micros.expected,
                currency=bill.currency,
                error=line.run_ms.expected / run_ms - 1,
                within=line.run_ms.holds(run_ms),
                set_aside=_why_set_aside(bill, run_ms, line.run_ms.expected),
            )
        )
    return found


def _why_set_aside(bill: Billed, run_ms: int, quoted_ms: int) -> str | None:
    if bill.rehearsal:
        return REHEARSED
    return None if fair(run_ms, quoted_ms) else UNLIKE


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
