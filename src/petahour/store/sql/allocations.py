"""Allocations in SQL, and the table that lets no accelerator be given twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.errors import InvariantError
from petahour.store.sql.bulk import update_many
from petahour.store.sql.rows import allocation_of, allocation_row
from petahour.store.sql.schema import allocations, held_accelerators
from petahour.store.sql.statements import batches, one, rows

_CHANGING = (
    "state", "started_ms", "ended_ms", "metered_ms", "stop_cause", "stop_for", "stop_ms", "preempted_ms", "end_kind",
    "hold_transfer", "funded_until_ms", "reserved_until_ms",
)  # fmt: skip


def _changing(allocation: Allocation) -> tuple[object, ...]:
    """The id and the values of what changes."""
    return tuple(
        value.value if isinstance(value, StrEnum) else value
        for value in (allocation.id, *(getattr(allocation, name) for name in _CHANGING))
    )


class SqlAllocations:
    """Allocations, and which of them holds each accelerator."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, allocation: Allocation) -> None:
        self._connection.execute(insert(allocations), allocation_row(allocation))
        held = [
            {"node": slot.node, "accelerator": index, "allocation": allocation.id}
            for slot in allocation.slots
            for index in slot.indexes
        ]
        try:
            self._connection.execute(insert(held_accelerators), held)
        except IntegrityError as error:
            raise InvariantError(rule="no accelerator is given twice", value=allocation.id) from error

    def save(self, allocation: Allocation) -> None:
        row = allocation_row(allocation)
        changing = {name: row[name] for name in _CHANGING}
        self._connection.execute(update(allocations).where(allocations.c.id == allocation.id), changing)

    def save_all(self, changed: Sequence[Allocation]) -> None:
        update_many(self._connection, allocations, ("id", *_CHANGING), [_changing(item) for item in changed])

    def release(self, allocation_id: str) -> None:
        self._connection.execute(delete(held_accelerators).where(held_accelerators.c.allocation == allocation_id))

    def get(self, allocation_id: str) -> Allocation | None:
        return one(self._connection, select(allocations).where(allocations.c.id == allocation_id), allocation_of)

    def many(self, allocation_ids: Iterable[str]) -> Sequence[Allocation]:
        found: list[Allocation] = []
        for batch in batches(allocation_ids):
            found += rows(self._connection, select(allocations).where(allocations.c.id.in_(batch)), allocation_of)
        return found

    def of_job(self, job_id: str) -> Sequence[Allocation]:
        query = select(allocations).where(allocations.c.job == job_id).order_by(allocations.c.attempt)
        return rows(self._connection, query, allocation_of)

    def active(self) -> Sequence[Allocation]:
        query = (
            select(allocations)
            .where(allocations.c.state != AllocationState.ENDED.value)
            .order_by(allocations.c.placed_ms, allocations.c.id)
        )
        return rows(self._connection, query, allocation_of)

    def latest(self, job_ids: Iterable[str]) -> Mapping[str, Allocation]:
        found: dict[str, Allocation] = {}
        for batch in batches(job_ids):
            last = (
                select(allocations.c.job, func.max(allocations.c.attempt).label("attempt"))
                .where(allocations.c.job.in_(batch))
                .group_by(allocations.c.job)
                .subquery()
            )
            query = select(allocations).join(
                last, (allocations.c.job == last.c.job) & (allocations.c.attempt == last.c.attempt)
            )
            found |= {item.job: item for item in rows(self._connection, query, allocation_of)}
        return found

    def every(self) -> Sequence[Allocation]:
        return rows(self._connection, select(allocations).order_by(allocations.c.placed_ms), allocation_of)

    def overlapping(self, from_ms: int, to_ms: int) -> Sequence[Allocation]:
        column = allocations.c
        query = select(allocations).where(
            column.placed_ms < to_ms, or_(column.ended_ms.is_(None), column.ended_ms > from_ms)
        )
        return rows(self._connection, query.order_by(column.placed_ms, column.id), allocation_of)

    def held(self, node: str) -> Mapping[int, str]:
        query = select(held_accelerators.c.accelerator, held_accelerators.c.allocation).where(
            held_accelerators.c.node == node
        )
        return {row.accelerator: row.allocation for row in self._connection.execute(query)}
