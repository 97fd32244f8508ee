"""Usage and charges: every held millisecond recorded once, and priced once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts, Life
from petahour.model.allocations import Allocation, EndKind
from petahour.model.time import HOUR_MS
from petahour.model.usage import Charge, UsageRecord


def usage_checks(facts: Facts) -> tuple[Check, ...]:
    """The promises about usage records and charges."""
    return (
        checked("usage covers what was held, without gap or overlap", _coverage(facts)),
        checked("usage is billed and waived by the policy", _policy(facts)),
        checked("every usage record has one charge of its amount", _charges(facts)),
    )


def _coverage(facts: Facts) -> Iterator[str]:
    of_allocation: dict[str, list[UsageRecord]] = defaultdict(list)
    for record in facts.usage:
        of_allocation[record.allocation].append(record)
    for name in of_allocation.keys() - facts.lives.keys():
        yield f"usage of allocation {name}, which was never placed"
    for name, life in facts.lives.items():
        if not life.placed:
            continue
        allocation = facts.allocations.get(name)
        metered_ms = allocation.metered_ms if allocation else None
        until_ms = metered_ms if life.ended_ms is None else life.ended_ms
        cursor_ms = life.placed_ms
        for record in sorted(of_allocation[name], key=lambda one: (one.start_ms, one.end_ms)):
            if record.start_ms != cursor_ms:
                kind = "gap" if record.start_ms > cursor_ms else "overlap"
                yield f"{record.id}: a {kind} between {cursor_ms} and {record.start_ms}"
            cursor_ms = max(cursor_ms, record.end_ms)
        if until_ms is not None and cursor_ms != until_ms:
            yield f"usage of {name} reaches to {cursor_ms}, should to {until_ms}"
        elif until_ms is None and cursor_ms != life.placed_ms:
            yield f"usage of {name} reaches to {cursor_ms}, but nothing is said to be metered"


def _policy(facts: Facts) -> Iterator[str]:
    for record in facts.usage:
        life, allocation = facts.lives.get(record.allocation), facts.allocations.get(record.allocation)
        if life is None or allocation is None or not life.placed:
            continue  # The coverage check reports it.
        if not record.hour_ms <= record.start_ms < record.end_ms <= record.hour_ms + HOUR_MS:
            yield f"{record.id} does not lie inside its hour {record.hour_ms}"
        if record.hour_ms % HOUR_MS:
            yield f"{record.id}: {record.hour_ms} is not the start of an hour"
        told = life.placed[0]
        count = sum(len(slot.indexes) for slot in life.slots)
        seen = (record.accelerators, record.job, record.tenant, record.type, record.rehearsal)
        if seen != (count, told.job, told.tenant, told.data.get("type"), told.data.get("rehearsal")):
            yield f"{record.id} is not of what its allocation held: {seen}"
        if (record.project, record.tier) != (allocation.project, allocation.tier):
            yield f"{record.id} is of {record.project} at {record.tier}, its allocation is not"
        held_ams = (record.end_ms - record.start_ms) * count
        billed_ams = _billed_ms(record, life, allocation) * count
        if (record.billed_ams, record.waived_ams) != (billed_ams, held_ams - billed_ams):
            yield (
                f"{record.id} bills {record.billed_ams} and waives {record.waived_ams}, "
                f"should {billed_ams} and {held_ams - billed_ams}"
            )


def _billed_ms(record: UsageRecord, life: Life, allocation: Allocation) -> int:
    """How much of the record is to be billed: from the first rank's start on, unless it was lost."""
    started_ms = life.started_ms if life.ended or life.started else allocation.started_ms
    if started_ms is None:
        return 0
    since_start_ms = max(0, record.end_ms - max(record.start_ms, started_ms))
    if life.end_kind is EndKind.LOST:
        # A full hour may have been billed before anyone knew of the loss; it stays billed.
        closed_before = record.billed_ams > 0 and record.end_ms == record.hour_ms + HOUR_MS
        return since_start_ms if closed_before else 0
    return since_start_ms


def _charges(facts: Facts) -> Iterator[str]:
    records = {record.id: record for record in facts.usage}
    counts = Counter(charge.usage for charge in facts.charges)
    for name in records.keys() - counts.keys():
        yield f"{name} has no charge"
    for name, count in counts.items():
        if count > 1:
            yield f"{name} has {count} charges"
    for charge in facts.charges:
        record = records.get(charge.usage)
        if record is None:
            yield f"{charge.id} is for usage {charge.usage}, which is not there"
            continue
        yield from _wrong(charge, record, facts.allocations.get(record.allocation))


def _wrong(charge: Charge, record: UsageRecord, allocation: Allocation | None) -> Iterator[str]:
    about = (charge.tenant, charge.project, charge.type, charge.tier, charge.rehearsal, charge.hour_ms)
    if about != (record.tenant, record.project, record.type, record.tier, record.rehearsal, record.hour_ms):
        yield f"{charge.id} is not about its usage record: {about}"
    if allocation is not None:
        terms = (charge.price_book, charge.price_micros, charge.currency)
        if terms != (allocation.price_book, allocation.price_micros, allocation.currency):
            yield f"{charge.id} has the terms {terms}, its allocation was placed under others"
    amount_micros = priced(record.billed_ams, charge.price_micros)
    if charge.amount_micros != amount_micros:
        yield f"{charge.id} is of {charge.amount_micros} micros, should be of {amount_micros}"


def priced(billed_ams: int, price_micros: int) -> int:
    """Accelerator-milliseconds at a price per accelerator-hour, rounded once, half to even."""
    exact = Decimal(billed_ams) * Decimal(price_micros) / Decimal(HOUR_MS)
    return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))
