"""Every row of money, streamed for the auditor: as it lies, in bounded memory, within one view of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, Select, and_, func, select

from petahour.store.protocol import Counts, StoredCharge, StoredTransfer, StoredUsage
from petahour.store.sql.schema import accounts, charges, transfers, usage_records

_STREAM = {"stream_results": True, "yield_per": 5_000}

_USAGE = [usage_records.c[name] for name in StoredUsage._fields]
_CHARGE = [charges.c[name] for name in StoredCharge._fields]
_TRANSFER = [transfers.c[name] for name in StoredTransfer._fields]


# What ``_make`` does, without a step in Python: it is done for every row.
_usage: Callable[[Any], StoredUsage] = partial(tuple.__new__, StoredUsage)
_charge: Callable[[Any], StoredCharge] = partial(tuple.__new__, StoredCharge)
_transfer: Callable[[Any], StoredTransfer] = partial(tuple.__new__, StoredTransfer)


def every_usage(connection: Connection) -> Iterator[tuple[StoredUsage, StoredCharge]]:
    """Usage records in no order, each with its charge, if it has one."""
    joined = usage_records.outerjoin(charges, charges.c.usage == usage_records.c.id)
    size = len(_USAGE)
    for row in _rows(connection, select(*_USAGE, *_CHARGE).select_from(joined)):
        yield _usage(row[:size]), _charge(row[size:])


def every_transfer(connection: Connection) -> Iterator[tuple[StoredTransfer, str, StoredCharge]]:
    """Transfers in commit order, each with its hash, and where it posts a charge with that charge."""
    joined = transfers.outerjoin(charges, and_(transfers.c.kind == "charge", charges.c.usage == transfers.c.cause))
    size = len(_TRANSFER)
    query = select(*_TRANSFER, transfers.c.hash, *_CHARGE).select_from(joined).order_by(transfers.c.seq)
    for row in _rows(connection, query):
        yield _transfer(row[:size]), row[size], _charge(row[size + 1 :])


def charges_without_usage(connection: Connection) -> Sequence[str]:
    """Charges for usage that is not there."""
    there = select(usage_records.c.id).where(usage_records.c.id == charges.c.usage).exists()
    return _ids(connection, select(charges.c.id).where(~there).order_by(charges.c.id))


def charges_without_transfer(connection: Connection) -> Sequence[str]:
    """Charges of more than nothing that no transfer posts."""
    there = select(transfers.c.id).where(transfers.c.id == "trf-" + charges.c.id).exists()
    return _ids(connection, select(charges.c.id).where(charges.c.amount_micros != 0, ~there).order_by(charges.c.id))


def counts(connection: Connection) -> Counts:
    """How many rows there are."""
    tables = (usage_records, charges, transfers, accounts)
    return Counts._make(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def charge_count(connection: Connection, *, payable: bool) -> int:
    """How many charges there are; ``payable``: of more than nothing."""
    query = select(func.count()).select_from(charges)
    return int(connection.execute(query.where(charges.c.amount_micros != 0) if payable else query).scalar_one())


def _rows(connection: Connection, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
    result = connection.execute(query, execution_options=_STREAM)
    for partition in result.partitions():
        yield from cast("Sequence[tuple[Any, ...]]", partition)


def _ids(connection: Connection, query: Select[Any]) -> Sequence[str]:
    return list(connection.execute(query).scalars())
