"""Commit: a plan meets the store; what still holds becomes intents, what does not is left for the next pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

from petahour.billing.book import PriceBook, varies
from petahour.control.cancel import ask_to_stop
from petahour.control.context import Context
from petahour.control.credit_accounts import funds
from petahour.control.metering import next_hold_number, place_hold, told
from petahour.control.passes import Note
from petahour.control.transitions import move
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.model.errors import FundsError, StalePlanError
from petahour.model.events import EventKind
from petahour.model.jobs import Job, JobState
from petahour.model.resources import Node, NodeState
from petahour.scheduler.plan import Place, Plan, Preempt
from petahour.store.protocol import Transaction


@dataclass(kw_only=True, slots=True)
class Committed:
    """What a commit stored, and why it refused the rest."""

    placed: list[Allocation] = field(default_factory=list)
    stopping: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, other: Committed) -> None:
        self.placed += other.placed
        self.stopping += other.stopping
        self.refused += other.refused


def commit(context: Context, plan: Plan, *, seen: int | None = None, note: Note | None = None) -> Committed:
    """Re-check every decision inside a write transaction and store those that still hold.

    Placements go in bounded batches, so that one transaction never holds the writer for long; ``note`` makes the
    event that tells of the pass, stored with each. ``seen``: the last event that the plan knew of.
    """
    done, part = Committed(), 0
    places, preempts = iter(plan.places), iter(plan.preempts)
    size = context.settings.placements_per_commit
    while True:
        batch, victims = list(islice(places, size)), list(islice(preempts, size))
        if not batch and not victims:
            return done
        part += 1
        with context.store.write() as tx:
            if note is not None:
                tx.events.append(note(part, batch, victims))
            stored = _store(context, tx, batch, victims, seen)
        done.add(stored)


def _store(
    context: Context, tx: Transaction, places: list[Place], preempts: list[Preempt], seen: int | None
) -> Committed:
    now_ms = context.clock.now_ms()
    stored = Committed()
    if seen is not None and tx.events.any_after(seen, _KEPT_BY_PASSES):
        # They are the scheduler's to keep, and it knew others; and prices may have come by another replica.
        rule = "quotas, promises and prices are those that the plan was made under"
        stored.refused.append(str(_stale("plan", rule)))
        return stored
    for place in places:
        try:
            stored.placed.append(_place(context, tx, place, now_ms))
        except (StalePlanError, FundsError) as error:
            stored.refused.append(str(error))
    for preempt in preempts:
        try:
            stored.stopping.append(_preempt(tx, preempt, now_ms))
        except StalePlanError as error:
            stored.refused.append(str(error))
    return stored


def _place(context: Context, tx: Transaction, place: Place, now_ms: int) -> Allocation:
    job = tx.jobs.get(place.job)
    if job is None or job.state is not JobState.QUEUED:
        raise _stale(place.job, "the job is still queued")
    node = _check_slots(tx, place)
    until_ms = _reserved_until_ms(tx, job, place, now_ms)
    terms = _terms(context, tx, job, place.type, now_ms, seated=until_ms is not None)
    attempt = job.attempt + 1
    allocation = Allocation(
        id=f"{job.id.replace('job-', 'alloc-')}-{attempt}",
        job=job.id,
        tenant=job.tenant,
        project=job.project,
        attempt=attempt,
        type=place.type,
        tier=job.spec.tier,
        engine=node.engine,
        slots=place.slots,
        rehearsal=node.rehearsal,
        borrowed=place.borrowed,
        price_book=terms.book.id,
        price_micros=terms.price_micros,
        price_for_ms=terms.for_ms,
        currency=context.live.currencies[job.tenant],
        postpaid=tx.credit.terms(job.tenant).postpaid,
        limit_micros=job.spec.limit_micros,
        reservation=place.reservation,
        reserved_until_ms=until_ms,
        state=AllocationState.STARTING,
        placed_ms=now_ms,
    )
    interval_ms = min(job.spec.walltime_ms or context.settings.hold_interval_ms, context.settings.hold_interval_ms)
    credit = funds(tx, allocation.tenant, allocation.currency)
    held = place_hold(
        tx,
        allocation,
        number=next_hold_number(allocation),
        duration_ms=interval_ms,
        at_ms=now_ms,
        prices=context.prices,
    )
    if held is None:
        raise FundsError(
            field="credit", value=job.tenant, rule="credit covers the hold", remedy="Top up the tenant's credit."
        )
    tx.allocations.add(held)
    slots = [{"node": slot.node, "indexes": list(slot.indexes)} for slot in held.slots]
    move(
        tx,
        replace(job, attempt=attempt, exit_code=None, message=""),
        JobState.STARTING,
        kind=EventKind.JOB_PLACED,
        at_ms=now_ms,
        cause=f"placed on {', '.join(slot.node for slot in held.slots)}",
        allocation=held.id,
        data={
            "slots": slots,
            "type": held.type,
            "rehearsal": held.rehearsal,
            "borrowed": held.borrowed,
            "price_book": held.price_book,
            "price_micros": held.price_micros,
            "price_varies": until_ms is not None
            or not context.prices.is_newest(terms.book)
            or varies(terms.book, tenant=held.tenant, type=held.type, tier=held.tier),
            "currency": held.currency,
            **({"reservation": held.reservation} if held.reservation else {}),
            **told(tx, held, credit),
        },
    )
    return held


def _check_slots(tx: Transaction, place: Place) -> Node:
    """One of the nodes, when all are up, of one pool, and their accelerators free."""
    nodes = []
    for slot in place.slots:
        node = tx.fleet.get(slot.node)
        if node is None or node.state is not NodeState.UP or node.type != place.type:
            raise _stale(place.job, f"node {slot.node} takes work")
        if slot.indexes[-1] >= node.accelerators or set(tx.allocations.held(slot.node)) & set(slot.indexes):
            raise _stale(place.job, f"the accelerators of {slot.node} are free")
        nodes.append(node)
    if len({(node.name) for node in nodes}) != len(nodes) or len({node.pool for node in nodes}) != 1:
        raise _stale(place.job, "a gang lies on distinct nodes of one pool")
    return nodes[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terms:
    """The book an attempt is placed under, its price now, and for how much running time it holds."""

    book: PriceBook
    price_micros: int
    for_ms: int


def _reserved_until_ms(tx: Transaction, job: Job, place: Place, now_ms: int) -> int | None:
    """Until when the reservations whose seats it takes are in force."""
    if not place.reservation:
        return None
    found = [tx.promises.reservation(name) for name in place.reservation.split("+")]
    ends = [one.to_ms for one in found if one is not None and one.in_force(now_ms) and one.tenant == job.tenant]
    if len(ends) != len(found):
        raise _stale(job.id, f"{place.reservation} is its tenant's now")
    return min(ends)


def _terms(
    context: Context, tx: Transaction, job: Job, accelerator_type: str, now_ms: int, *, seated: bool
) -> _Terms:
    """The book in force; or the one that the job's quote promised; or the one of the job's last attempt, while the
    job's walltime is not used up.

    A job without a walltime and a quote was promised nothing: from its next hour on it follows the book in force.
    """
    kept = _kept(context, tx, job) if job.attempt else _promised(context, job)
    if kept is not None and _above_limit(context, kept[0], job, accelerator_type, now_ms):
        kept = None  # It is placed as the book in force has it, or not at all.
    book = context.prices.in_force(context.live.currencies[job.tenant], now_ms) if kept is None else kept[0]
    price = None
    if book is not None:
        price = context.prices.price(book, tenant=job.tenant, type=accelerator_type, tier=job.spec.tier, at_ms=now_ms)
    if seated and book is not None and price is None:
        price = 0  # No book sells it; the reservation does.
    if book is None or price is None:
        raise _stale(job.id, f"{accelerator_type} has a price")
    if not seated and _above_limit(context, book, job, accelerator_type, now_ms):
        raise _stale(job.id, f"{accelerator_type} costs no more than the job pays at most")
    return _Terms(book=book, price_micros=price, for_ms=(job.spec.walltime_ms or 0) if kept is None else kept[1])


def _above_limit(context: Context, book: PriceBook, job: Job, accelerator_type: str, now_ms: int) -> bool:
    """Whether the price of this hour or the next is more than the job pays at most."""
    limit = job.spec.limit_micros
    asked = (
        context.prices.price(book, tenant=job.tenant, type=accelerator_type, tier=job.spec.tier, at_ms=at_ms)
        for at_ms in (now_ms, now_ms + context.settings.hold_interval_ms)
    )
    return limit is not None and any(price is not None and price > limit for price in asked)


def _promised(context: Context, job: Job) -> tuple[PriceBook, int] | None:
    promise = job.spec.promise
    if promise is None:
        return None
    book = context.prices.named(promise.price_book)
    if book is None:
        raise _stale(job.id, f"price book {promise.price_book} of {promise.quote} is known")
    return book, promise.for_ms


def _kept(context: Context, tx: Transaction, job: Job) -> tuple[PriceBook, int] | None:
    last = tx.allocations.latest([job.id]).get(job.id)
    if last is None or not last.price_for_ms:
        return None
    ran_ms = 0 if last.started_ms is None else (last.ended_ms or last.started_ms) - last.started_ms
    book = context.prices.named(last.price_book)
    left_ms = last.price_for_ms - ran_ms
    return None if book is None or left_ms <= 0 else (book, left_ms)


def _preempt(tx: Transaction, preempt: Preempt, now_ms: int) -> str:
    waiting = tx.jobs.get(preempt.for_job)
    if waiting is None or waiting.state is not JobState.QUEUED:
        raise _stale(preempt.for_job, "the job it would be freed for is still queued")
    allocation = tx.allocations.get(preempt.allocation)
    if allocation is None or allocation.state not in (AllocationState.STARTING, AllocationState.RUNNING):
        raise _stale(preempt.for_job, f"{preempt.allocation} still runs")
    job = tx.jobs.get(allocation.job)
    if job is None:
        raise _stale(preempt.for_job, f"{allocation.job} is known")
    ask_to_stop(
        tx,
        job,
        allocation,
        cause=StopCause.PREEMPTED,
        for_job=preempt.for_job,
        at_ms=now_ms,
        text=f"preempted: its {allocation.tier} capacity is needed by a job with a stronger claim",
    )
    return allocation.id


_KEPT_BY_PASSES = (
    EventKind.QUOTA_SET,
    EventKind.MAINTENANCE_SET,
    EventKind.RESERVATION_SET,
    EventKind.PRICES_PUBLISHED,
)


def _stale(job: str, rule: str) -> StalePlanError:
    return StalePlanError(field=job, value=None, rule=rule, remedy="The next pass decides anew.")
