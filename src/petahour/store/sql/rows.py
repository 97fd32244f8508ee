"""Rows to nouns and back: the one place that knows how a noun lies in its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from operator import attrgetter
from sys import intern
from typing import Any, cast

import orjson

from petahour.model.allocations import Allocation, AllocationState, EndKind, StopCause
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, JobState, Tier
from petahour.model.resources import Node, NodeState, Slot
from petahour.model.tenants import ApiKey, Role, User
from petahour.model.terms import spec_of
from petahour.model.usage import Balance, Charge, Transfer, TransferKind, UsageRecord, WaiveReason

Row = Mapping[str, Any]

# Money is written and read by the thousand: its columns are named once, and its rows are tuples in their order.
USAGE = tuple(field.name for field in fields(UsageRecord))
CHARGE = tuple(field.name for field in fields(Charge))
TRANSFER = tuple(field.name for field in fields(Transfer))
BALANCE = tuple(field.name for field in fields(Balance))


def _values(names: tuple[str, ...], *enums: str) -> Callable[[object], tuple[object, ...]]:
    """What reads these columns of a noun; of enumerations the text they stand for."""
    return cast(
        Callable[[object], tuple[object, ...]],
        attrgetter(*(f"{name}._value_" if name in enums else name for name in names)),
    )


_usage_values = _values(USAGE, "tier")
_transfer_values = _values(TRANSFER, "kind")
charge_row = _values(CHARGE, "tier")
balance_row = _values(BALANCE)


def plain(row: Mapping[str, object]) -> dict[str, object]:
    """Enumerations as the text they stand for: drivers differ in what they make of an enum."""
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in row.items()}


def job_row(job: Job) -> dict[str, object]:
    """Columns of a job without its ``seq``, which the database gives."""
    row = {field.name: getattr(job, field.name) for field in fields(job) if field.name not in ("spec", "seq")}
    row["spec"] = orjson.dumps(asdict(job.spec)).decode()
    return plain(row)


def job_of(row: Row) -> Job:
    known = {field.name: row[field.name] for field in fields(Job) if field.name not in ("spec", "state")}
    return Job(**known, spec=spec_of(orjson.loads(row["spec"])), state=JobState(row["state"]))


def allocation_row(allocation: Allocation) -> dict[str, object]:
    row = {field.name: getattr(allocation, field.name) for field in fields(allocation) if field.name != "slots"}
    row["slots"] = orjson.dumps([[slot.node, slot.indexes] for slot in allocation.slots]).decode()
    return plain(row)


def allocation_of(row: Row) -> Allocation:
    known = {field.name: row[field.name] for field in fields(Allocation)}
    known["slots"] = tuple(Slot(node=node, indexes=tuple(indexes)) for node, indexes in orjson.loads(row["slots"]))
    known["tier"] = Tier(row["tier"])
    known["state"] = AllocationState(row["state"])
    known["stop_cause"] = StopCause(row["stop_cause"]) if row["stop_cause"] else None
    known["end_kind"] = EndKind(row["end_kind"]) if row["end_kind"] else None
    return Allocation(**known)


def node_row(node: Node) -> dict[str, object]:
    return plain({**asdict(node), "devices": orjson.dumps(node.devices).decode()})


def node_of(row: Row) -> Node:
    devices = tuple(orjson.loads(row["devices"]))
    return Node(**{**row, "devices": devices, "state": NodeState(row["state"])})


def user_row(user: User) -> dict[str, object]:
    return plain({**asdict(user), "tenant": user.tenant or ""})


def user_of(row: Row) -> User:
    return User(**{**row, "tenant": row["tenant"] or None, "role": Role(row["role"])})


def key_row(key: ApiKey) -> dict[str, object]:
    return plain({**asdict(key), "tenant": key.tenant or ""})


def key_of(row: Row) -> ApiKey:
    return ApiKey(**{**row, "tenant": row["tenant"] or None, "role": Role(row["role"])})


def event_row(event: Event) -> dict[str, object]:
    row = {field.name: getattr(event, field.name) for field in fields(event) if field.name not in ("data", "seq")}
    row["data"] = orjson.dumps(dict(event.data)).decode()
    return plain(row)


def event_of(row: Row) -> Event:
    return Event(**{**row, "kind": EventKind(row["kind"]), "data": orjson.loads(row["data"])})


def usage_row(record: UsageRecord) -> tuple[object, ...]:
    """The values of ``USAGE``."""
    row = _usage_values(record)
    return row if record.waive_reason is None else (*row[:-1], record.waive_reason.value)


def usage_of(row: Row) -> UsageRecord:
    known = dict(row)
    # A report reads millions of them, which share these texts.
    for name in ("allocation", "job", "tenant", "project", "type"):
        known[name] = intern(known[name])
    known["tier"] = Tier(known["tier"])
    known["waive_reason"] = WaiveReason(known["waive_reason"]) if known["waive_reason"] else None
    return UsageRecord(**known)


def charge_of(row: Row) -> Charge:
    return Charge(**{**row, "tier": Tier(row["tier"])})


def transfer_row(transfer: Transfer) -> tuple[object, ...]:
    """The values of ``TRANSFER``."""
    row = _transfer_values(transfer)
    return row if transfer.pending else (*row[:_PENDING], None, *row[_PENDING + 1 :])


_PENDING = TRANSFER.index("pending")


def transfer_of(row: Row) -> Transfer:
    known = {name: row[name] for name in TRANSFER}
    known["kind"] = TransferKind(row["kind"])
    known["pending"] = row["pending"] or ""
    return Transfer(**known)
