"""Usage and charges: every held millisecond recorded once, and priced once. One pass over all the records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from petahour.control.audit.check import Check, Findings
from petahour.control.audit.facts import EVER_MS, Facts, Life
from petahour.control.audit.lending import LENDINGS, SHARED, LentShares
from petahour.control.audit.prices import terms_faults
from petahour.control.posted import Posted
from petahour.model.allocations import Allocation, EndKind
from petahour.model.time import HOUR_MS
from petahour.store.protocol import StoredUsage, Transaction

COVERAGE = "usage covers what was held, without gap or overlap"
POLICY = "usage is billed and waived by the policy"
CHARGES = "every usage record has one charge of its amount"


def usage_checks(tx: Transaction, facts: Facts) -> tuple[Check, ...]:
    """The promises about usage records and charges."""
    findings = Findings((COVERAGE, POLICY, CHARGES, SHARED, LENDINGS))
    lent = LentShares(facts)
    told = {name: _Told.of(life, facts.allocations.get(name)) for name, life in facts.lives.items() if life.placed}
    spans: dict[str, _Span] = {}
    posted = Posted(facts.posted)
    charged = 0
    for record, charge in tx.ledger.every_usage():
        span = spans.get(record.allocation)
        if span is None:
            span = spans[record.allocation] = _Span()
        span.add(record)
        due = told.get(record.allocation)
        for fault in () if due is None or _plain(record, due) else _policy(record, due):
            findings.add(POLICY, fault)
        if charge.id is None:
            findings.add(CHARGES, f"{record.id} has no charge")
            continue
        charged += 1
        lent.add(record, charge)
        allocation = facts.allocations.get(record.allocation)
        for fault in terms_faults(charge, record, allocation, facts.books, posted):
            findings.add(CHARGES, fault)
    if charged != tx.ledger.charge_count():
        lost = tx.ledger.charges_without_usage()
        for name in lost or ("a usage record",):
            wrong = "is for a usage record that is not there" if lost else "has several charges"
            findings.add(CHARGES, f"{name} {wrong}")
    for fault in _coverage(tx, facts, spans):
        findings.add(COVERAGE, fault)
    for fault in lent.faults(tx):
        findings.add(SHARED, fault)
    for fault in lent.differences(tx):
        findings.add(LENDINGS, fault)
    return findings.checks()


@dataclass(slots=True)
class _Span:
    """What the records of one allocation cover, whatever order they come in.

    ``ends`` and ``until_ms`` are the instants at which an odd number of records begin or end: of records that follow
    one another without gap or overlap, these are the first beginning and the last end, and ``held_ms`` is what lies
    between. A record that begins where the last one ended, as most do, moves ``until_ms`` alone.
    """

    held_ms: int = 0
    until_ms: int | None = None
    ends: set[int] = field(default_factory=set)

    def add(self, record: StoredUsage) -> None:
        start_ms, end_ms = record.start_ms, record.end_ms
        self.held_ms += end_ms - start_ms
        if start_ms != self.until_ms:
            self.ends ^= {start_ms} if self.until_ms is None else {start_ms} ^ {self.until_ms}
        self.until_ms = end_ms

    def covers(self, from_ms: int, to_ms: int) -> bool:
        ends = self.ends if self.until_ms is None else self.ends ^ {self.until_ms}
        return self.held_ms == to_ms - from_ms and ends == ({from_ms, to_ms} if from_ms != to_ms else set())


def _coverage(tx: Transaction, facts: Facts, spans: dict[str, _Span]) -> Iterator[str]:
    for name in spans.keys() - facts.lives.keys():
        yield f"usage of allocation {name}, which was never placed"
    for name, life in facts.lives.items():
        if not life.placed:
            continue
        allocation = facts.allocations.get(name)
        metered_ms = allocation.metered_ms if allocation else None
        until_ms = metered_ms if life.ended_ms is None else life.ended_ms
        if not spans.get(name, _Span()).covers(life.placed_ms, life.placed_ms if until_ms is None else until_ms):
            yield from _uncovered(tx, name, life.placed_ms, until_ms)


def _uncovered(tx: Transaction, name: str, placed_ms: int, until_ms: int | None) -> Iterator[str]:
    """What exactly is wrong with the records of one allocation."""
    cursor_ms = placed_ms
    for record in tx.ledger.usage_of(name):
        if record.start_ms != cursor_ms:
            kind = "gap" if record.start_ms > cursor_ms else "overlap"
            yield f"{record.id}: a {kind} between {cursor_ms} and {record.start_ms}"
        cursor_ms = max(cursor_ms, record.end_ms)
    if until_ms is not None and cursor_ms != until_ms:
        yield f"usage of {name} reaches to {cursor_ms}, should to {until_ms}"
    elif until_ms is None and cursor_ms != placed_ms:
        yield f"usage of {name} reaches to {cursor_ms}, but nothing is said to be metered"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What the records of one allocation have to say: from its events, and of project and tier from its row."""

    about: tuple[object, ...]  # job, tenant, project, type, tier and rehearsal, as a record has them in a row
    count: int
    started_ms: int
    yielded_ms: int
    ended_ms: int
    lost: bool

    @classmethod
    def of(cls, life: Life, allocation: Allocation | None) -> _Told:
        told = life.placed[0]
        count = sum(len(slot.indexes) for slot in life.slots)
        started_ms = life.started_ms if life.ended or life.started or allocation is None else allocation.started_ms
        # Without a start nothing is billed, ever.
        return cls(
            about=(
                *(told.job, told.tenant, allocation.project if allocation else None, told.data.get("type")),
                *(allocation.tier.value if allocation else None, told.data.get("rehearsal")),
            ),
            count=count,
            started_ms=EVER_MS if started_ms is None else started_ms,
            yielded_ms=EVER_MS if life.preempted_ms is None else life.preempted_ms,
            ended_ms=EVER_MS if life.ended_ms is None else life.ended_ms,
            lost=life.end_kind is EndKind.LOST,
        )


def _plain(record: StoredUsage, told: _Told) -> bool:
    """Whether it is as nearly all are, inside its hour, billed in full and about its allocation: ``_policy`` would
    find nothing.
    """
    hour_ms, start_ms, end_ms, accelerators, billed_ams, waived_ams, reason = record[8:]
    return (
        max(hour_ms, told.started_ms) <= start_ms < end_ms <= min(hour_ms + HOUR_MS, told.yielded_ms)
        and not hour_ms % HOUR_MS
        and record[2:8] == told.about
        and billed_ams == (end_ms - start_ms) * told.count
        and not waived_ams
        and reason is None
        and accelerators == told.count
        and not told.lost
    )


def _policy(record: StoredUsage, told: _Told) -> Iterator[str]:
    if not record.hour_ms <= record.start_ms < record.end_ms <= record.hour_ms + HOUR_MS:
        yield f"{record.id} does not lie inside its hour {record.hour_ms}"
    if record.hour_ms % HOUR_MS:
        yield f"{record.id}: {record.hour_ms} is not the start of an hour"
    if record[2:8] != told.about or record.accelerators != told.count:
        seen = (record.job, record.tenant, record.type, bool(record.rehearsal), record.accelerators)
        yield f"{record.id} is not of what its allocation held: {(*seen, record.project, record.tier)}"
    held_ams = (record.end_ms - record.start_ms) * told.count
    billed_ams = _billed_ms(record, told) * told.count
    if (record.billed_ams, record.waived_ams) != (billed_ams, held_ams - billed_ams):
        yield (
            f"{record.id} bills {record.billed_ams} and waives {record.waived_ams}, "
            f"should {billed_ams} and {held_ams - billed_ams}"
        )
    if record.waive_reason != (_reason(record, told) if record.waived_ams else None):
        yield f"{record.id} waives for {record.waive_reason or 'no reason'}"


def _billed_ms(record: StoredUsage, told: _Told) -> int:
    """How much of the record is to be billed: from the first rank's start until it was to yield, unless lost."""
    since_start_ms = max(0, min(record.end_ms, told.yielded_ms) - max(record.start_ms, told.started_ms))
    if told.lost:
        return since_start_ms if record.billed_ams > 0 and _closed_before_the_end(record, told) else 0
    return since_start_ms


def _reason(record: StoredUsage, told: _Told) -> str:
    """Why the record is waived, if it is. A loss that became known later does not rename a preemption."""
    if record.end_ms <= told.started_ms:
        return "provisioning"
    renamed = told.lost and not (record.waive_reason == "preemption" and _closed_before_the_end(record, told))
    return "lost" if renamed else "preemption"


def _closed_before_the_end(record: StoredUsage, told: _Told) -> bool:
    """Its hour was over before the end, so it may have been closed when nobody knew of the loss; it stays so."""
    return record.hour_ms + HOUR_MS <= told.ended_ms
