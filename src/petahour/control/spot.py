"""Spot: the next hour's prices are posted while this one lasts; jobs are stopped before a price above their limit.

A price is posted before its hour begins and never afterwards: hours that began while no control plane ran keep the
last price. So whatever is rated, in whatever order after a crash, finds the price that held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from petahour.billing.book import PriceBook
from petahour.billing.spot import next_price, too_dear
from petahour.billing.timeline import read_timeline
from petahour.control.authorize import Action, authorize
from petahour.control.cancel import ask_to_stop
from petahour.control.context import Context
from petahour.control.pricing import asked_at
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.model.errors import ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, Tier
from petahour.model.money import check_currency, format_micros
from petahour.model.prices import SpotPrice
from petahour.model.tenants import Caller
from petahour.model.time import HOUR_MS, hour_floor, to_iso
from petahour.store.protocol import Transaction

MAX_SHOWN = 10_000
_OF_NODES = (EventKind.NODE_REGISTERED, EventKind.NODE_STATE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Occupancy:
    """Accelerator-milliseconds of a type's real nodes in an hour: held, and of nodes that took work."""

    held_ams: int
    capacity_ams: int


_NOTHING = Occupancy(held_ams=0, capacity_ams=0)


def post_prices(context: Context) -> bool:
    """Post the prices of the next hour, once: what is posted already changes nothing. True when any was.

    They follow how much was held in the hour that is over, as far as that is known now.
    """
    if not _due(context, hour_floor(context.clock.now_ms()) + HOUR_MS):
        return False
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        _take(context, tx)
        due = _due(context, hour_floor(now_ms) + HOUR_MS)
        seen = occupancy(tx, hour_floor(now_ms) - HOUR_MS) if due else {}
        made = [_next(tx, book, name, seen.get(name, _NOTHING), now_ms) for book, name in due]
        for price in made:
            tx.prices.post(price)
        for currency in sorted({price.currency for price in made}):
            told = [price for price in made if price.currency == currency]
            if any(price.price_micros != price.before_micros for price in told):
                tx.events.append(_told(currency, told, now_ms))
    _put(context, made)
    return bool(made)


def take_posted(context: Context) -> None:
    """Take in what was posted and is not in memory: at the start, or by another control plane on the database."""
    with context.store.read() as tx:
        _take(context, tx)


def occupancy(tx: Transaction, hour_ms: int) -> Mapping[str, Occupancy]:
    """How much of each type's real accelerators was held in an hour.

    Capacity are the accelerators of nodes that took work; what was held on others counts as both, so that draining a
    node neither raises nor lowers the price by itself.
    """
    to_ms = hour_ms + HOUR_MS
    events = tx.events.earlier(tx.events.last_seq(), jobs=(), kinds=_OF_NODES)
    capacity: Counter[str] = Counter()
    shut: dict[str, list[tuple[int, int]]] = {}
    for name, segments in read_timeline(events, to_ms=to_ms).nodes.items():
        for one in segments:
            lasts_ms = one.end_ms - max(one.start_ms, hour_ms)
            if lasts_ms <= 0 or one.rehearsal:
                continue
            if one.up:
                capacity[one.type] += lasts_ms * one.accelerators
            else:
                shut.setdefault(name, []).append((max(one.start_ms, hour_ms), one.end_ms))
    held: Counter[str] = Counter()
    for allocation in tx.allocations.overlapping(hour_ms, to_ms):
        if allocation.rehearsal:
            continue
        start_ms = max(allocation.placed_ms, hour_ms)
        end_ms = to_ms if allocation.ended_ms is None else min(allocation.ended_ms, to_ms)
        held[allocation.type] += (end_ms - start_ms) * allocation.accelerators
        for slot in allocation.slots:
            capacity[allocation.type] += len(slot.indexes) * _overlap(shut.get(slot.node, ()), start_ms, end_ms)
    return {name: Occupancy(held_ams=held[name], capacity_ams=capacity[name]) for name in capacity}


def stop_above_limit(context: Context) -> int:
    """Ask those to stop whose price will be above their limit when their grace period is over; how many they are.

    The signal comes a grace period before the hour with that price, as soon as the price is known, so that the job
    saves its checkpoint at the old price. What runs into the hour all the same is charged at the limit.
    """
    now_ms = context.clock.now_ms()
    doomed = [
        allocation
        for allocation in context.live.allocations.values()
        if allocation.limit_micros is not None
        and allocation.state in (AllocationState.STARTING, AllocationState.RUNNING)
        and _too_dear(context, context.live.active.get(allocation.job), allocation, now_ms) is not None
    ]
    if not doomed:
        return 0
    with context.store.write() as tx:
        for allocation in tx.allocations.many(one.id for one in doomed):
            job = tx.jobs.get(allocation.job)
            asked = _too_dear(context, job, allocation, now_ms)
            stoppable = allocation.state in (AllocationState.STARTING, AllocationState.RUNNING)
            if job is None or asked is None or not stoppable:
                continue
            price, from_ms = asked
            limit = format_micros(allocation.limit_micros or 0, allocation.currency)
            text = f"the spot price is {format_micros(price, allocation.currency)} from {to_iso(from_ms)} on"
            ask_to_stop(
                tx,
                job,
                allocation,
                cause=StopCause.LIMIT,
                for_job="",
                at_ms=now_ms,
                text=f"{text}, above its limit of {limit} {allocation.currency}",
            )
    return len(doomed)


def history(
    context: Context, caller: Caller, *, currency: str | None, type_name: str | None, hours: int
) -> tuple[SpotPrice, ...]:
    """The prices posted for the last hours and the next one, the oldest first. A tenant sees its currency's."""
    authorize(caller, Action.READ_PRICES)
    if not 1 <= hours <= MAX_SHOWN:
        raise ValidationError(
            field="hours", value=hours, rule=f"from 1 to {MAX_SHOWN}", remedy="Choose one in that range."
        )
    if currency is not None:
        check_currency(currency)
    if type_name is not None:
        context.catalog.get(type_name)
    from_ms = hour_floor(context.clock.now_ms()) - (hours - 1) * HOUR_MS
    with context.store.read() as tx:
        if caller.tenant is not None:
            tenant = tx.people.tenant(caller.tenant)
            currency = tenant.currency if tenant is not None else currency
        found = tx.prices.posted(currency=currency, type=type_name, from_ms=from_ms)
    return tuple(found)


def _due(context: Context, hour_ms: int) -> list[tuple[PriceBook, str]]:
    """The books and types of which a price of the hour is still to be posted, by what is in memory."""
    prices = context.prices
    books = (prices.in_force(currency, hour_ms) for currency in prices.currencies)
    return [
        (book, name)
        for book in books
        if book is not None
        for name in sorted(book.spot)
        if prices.posted.until_ms(book.currency, name) < hour_ms
    ]


def _next(tx: Transaction, book: PriceBook, name: str, seen: Occupancy, now_ms: int) -> SpotPrice:
    last = tx.prices.posted(currency=book.currency, type=name, limit=1)
    before_micros = last[0].price_micros if last else book.prices[name, Tier.SPOT]
    return SpotPrice(
        currency=book.currency,
        type=name,
        hour_ms=hour_floor(now_ms) + HOUR_MS,
        price_micros=next_price(
            book.spot[name], before_micros, held_ams=seen.held_ams, capacity_ams=seen.capacity_ams
        ),
        before_micros=before_micros,
        held_ams=seen.held_ams,
        capacity_ams=seen.capacity_ams,
        book=book.id,
        posted_ms=now_ms,
    )


def _take(context: Context, tx: Transaction) -> None:
    _put(context, tx.prices.posted(from_ms=max(0, context.prices.posted.latest_ms)))


def _put(context: Context, made: Iterable[SpotPrice]) -> None:
    for one in made:
        context.prices.posted.put(one.currency, one.type, one.hour_ms, one.price_micros)


def _told(currency: str, made: Sequence[SpotPrice], at_ms: int) -> Event:
    shown = [
        {
            "type": one.type,
            "micros": one.price_micros,
            "before_micros": one.before_micros,
            "held_ams": one.held_ams,
            "capacity_ams": one.capacity_ams,
            "book": one.book,
        }
        for one in made
    ]
    data: dict[str, object] = {"currency": currency, "hour_ms": made[0].hour_ms, "prices": shown}
    return Event(kind=EventKind.SPOT_POSTED, at_ms=at_ms, data=data)


def _too_dear(context: Context, job: Job | None, allocation: Allocation, now_ms: int) -> tuple[int, int] | None:
    return too_dear(
        lambda at_ms: asked_at(context.prices, allocation, at_ms)[1],
        allocation.limit_micros,
        now_ms=now_ms,
        grace_ms=0 if job is None else job.spec.grace_ms,
    )


def _overlap(spans: Iterable[tuple[int, int]], start_ms: int, end_ms: int) -> int:
    return sum(max(0, min(end_ms, end) - max(start_ms, start)) for start, end in spans)
