"""Evidence: how long each allocation ran by the engine, by our own clock and by what was billed, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from petahour.control.audit.facts import Facts, Life, read_facts
from petahour.model.events import Event
from petahour.model.time import SECOND_MS
from petahour.store.protocol import Store, Transaction

TOLERANCE_MS = SECOND_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One allocation that has ended. All times in milliseconds; None where nobody said anything.

    ``engine_ms``: from the first rank's start to the last process's end on the engine's clock. ``own_ms``: between
    the instants at which we heard of them, on ours. ``recorded_ms``: what the usage records cover from the start on,
    of which ``billed_ms`` was billed. ``conflicts``: reports that contradict those believed.
    """

    allocation: str
    tenant: str
    engine_ms: int | None
    own_ms: int | None
    recorded_ms: int
    billed_ms: int
    conflicts: int
    differences: tuple[str, ...]


def compare(store: Store, *, tolerance_ms: int = TOLERANCE_MS, tenant: str | None = None) -> list[Evidence]:
    """Every allocation that has ended, in order of placement, with the differences above the tolerance."""
    with store.read() as tx:
        facts = read_facts(tx)
        wanted = [
            (name, life)
            for name, life in facts.lives.items()
            if life.placed and life.ended and tenant in (None, life.placed[0].tenant)
        ]
        recorded = _recorded(tx, facts)
    return [
        _compared(name, life, recorded.get(name, (0, 0)), tolerance_ms)
        for name, life in sorted(wanted, key=lambda one: (one[1].placed_ms, one[0]))
    ]


def _recorded(tx: Transaction, facts: Facts) -> dict[str, tuple[int, int]]:
    """Milliseconds recorded since the start, and billed, of each allocation."""
    found: dict[str, tuple[int, int]] = {}
    for record, _ in tx.ledger.every_usage():
        if record.waive_reason == "provisioning":
            continue
        held_ms, billed_ms = found.get(record.allocation, (0, 0))
        found[record.allocation] = (
            held_ms + record.end_ms - record.start_ms,
            billed_ms + record.billed_ams // record.accelerators,
        )
    return found


def _compared(name: str, life: Life, recorded: tuple[int, int], tolerance_ms: int) -> Evidence:
    end = life.ended[0]
    begin = life.started[0] if life.started else None
    engine_ms = _between(_told(begin, "engine_started_ms") or _told(end, "engine_started_ms"), end, "engine_ended_ms")
    own_ms = _between(_told(begin, "heard_ms"), end, "heard_ms")
    held_ms, billed_ms = recorded
    differences = tuple(_differences(engine_ms, own_ms, held_ms, tolerance_ms))
    return Evidence(
        allocation=name,
        tenant=life.placed[0].tenant or "",
        engine_ms=engine_ms,
        own_ms=own_ms,
        recorded_ms=held_ms,
        billed_ms=billed_ms,
        conflicts=len(life.conflicts),
        differences=differences + tuple(_conflict(event) for event in life.conflicts),
    )


def _differences(engine_ms: int | None, own_ms: int | None, held_ms: int, tolerance_ms: int) -> Iterator[str]:
    if engine_ms is not None and abs(held_ms - engine_ms) > tolerance_ms:
        yield f"recorded {held_ms - engine_ms:+,} ms against the engine"
    if engine_ms is not None and own_ms is not None and abs(own_ms - engine_ms) > tolerance_ms:
        yield f"heard {own_ms - engine_ms:+,} ms against the engine"
    if engine_ms is None and own_ms is not None and held_ms:
        yield "the engine never told when it ended"


def _conflict(event: Event) -> str:
    return f"the engine also said {event.data.get('said')}, believed was {event.data.get('believed')}"


def _between(begin_ms: int | None, end: Event, name: str) -> int | None:
    end_ms = _told(end, name)
    return None if begin_ms is None or end_ms is None else end_ms - begin_ms


def _told(event: Event | None, name: str) -> int | None:
    value = None if event is None else event.data.get(name)
    return value if isinstance(value, int) else None
