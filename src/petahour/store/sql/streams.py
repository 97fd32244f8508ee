"""Every row of money, streamed for the auditor: as it lies, in bounded memory, within one view of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from sqlalchemy import Connection, CursorResult, Select, and_, func, literal_column, or_, select

from petahour.model.usage import AccountKind, TransferKind, account_id
from petahour.store.protocol import Counts, StoredCharge, StoredTransfer, StoredUsage
from petahour.store.sql.bulk import find_many
from petahour.store.sql.schema import accounts, charges, transfers, usage_records
from petahour.store.sql.statements import credited

_AT_ONCE = 5_000
_STREAM = {"stream_results": True, "max_row_buffer": _AT_ONCE}
_AHEAD = 20_000

_USAGE = [usage_records.c[name] for name in StoredUsage._fields]
_CHARGE = [charges.c[name] for name in StoredCharge._fields]
_TRANSFER = [transfers.c[name] for name in StoredTransfer._fields]


_HOLDS = [kind.value for kind in (TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE)]

_CHARGE_KEYED = ("usage", *StoredCharge._fields)
_OF_USAGE = StoredCharge._fields.index("usage")
_NO_CHARGE = StoredCharge(*[None] * len(_CHARGE))  # type: ignore[arg-type]

# What ``_make`` does, without a step in Python: it is done for every row.
_usage: Callable[[Any], StoredUsage] = partial(tuple.__new__, StoredUsage)
_charge: Callable[[Any], StoredCharge] = partial(tuple.__new__, StoredCharge)
_transfer: Callable[[Any], StoredTransfer] = partial(tuple.__new__, StoredTransfer)


def every_usage(connection: Connection) -> Iterator[tuple[StoredUsage, StoredCharge]]:
    """Usage records in no order, each with its charge, if it has one."""
    with closing(_streamed(connection, select(*_CHARGE))) as written:
        charged = _Charges(connection, written)
        for rows in _batches(connection, select(*_USAGE)):
            records = [_usage(row) for row in rows]
            yield from zip(records, charged.of([record.id for record in records]), strict=True)


def every_transfer(connection: Connection) -> Iterator[tuple[StoredTransfer, str, StoredCharge]]:
    """Transfers in commit order, each with its hash, and where it posts a charge with that charge."""
    payable = select(*_CHARGE).where(charges.c.amount_micros != literal_column("0"))
    size = len(_TRANSFER)
    with closing(_streamed(connection, payable)) as written:
        charged = _Charges(connection, written)
        for rows in _batches(connection, select(*_TRANSFER, transfers.c.hash).order_by(transfers.c.seq)):
            made = [_transfer(row[:size]) for row in rows]
            posted = charged.of([one.cause if one.kind == "charge" else "" for one in made])
            yield from zip(made, [row[size] for row in rows], posted, strict=True)


def credit_moves(
    connection: Connection, tenant: str, currency: str, *, holds: bool
) -> Iterator[tuple[StoredTransfer, str | None]]:
    """In commit order, what moved a tenant's credit or is held of it, and the payments of its invoices.

    A reversal comes with the kind of what it takes back.
    """
    query = credit_moves_query(tenant, currency)
    query = query if holds else query.where(transfers.c.kind.not_in(_HOLDS))
    with closing(connection.execute(query, execution_options={"yield_per": _AT_ONCE})) as result:
        for rows in result.partitions(_AT_ONCE):
            yield from ((_transfer(row[:-1]), row[-1]) for row in rows)


def credit_moves_query(tenant: str, currency: str) -> Select[Any]:
    """The rows of ``credit_moves``: those of a transfer, and what kind it takes back."""
    prepaid, owed = (account_id(kind, currency, tenant) for kind in (AccountKind.PREPAID, AccountKind.RECEIVABLE))
    taken = transfers.alias("taken")
    paid = and_(transfers.c.kind == TransferKind.PAYMENT.value, credited([owed]))
    bounced = and_(taken.c.kind == TransferKind.PAYMENT.value, transfers.c.debit == owed)
    reversing = and_(transfers.c.kind == TransferKind.REVERSAL.value, taken.c.id == transfers.c.cause)
    return (
        select(*_TRANSFER, taken.c.kind)
        .join_from(transfers, taken, reversing, isouter=True)
        .where(or_(transfers.c.debit == prepaid, credited([prepaid]), paid, bounced))
        .order_by(transfers.c.seq)
    )


class _Charges:
    """Charges by their usage records, asked for in about the order in which they were written.

    Both are read from one end to the other, several times faster than the database joins them when they are large.
    What does not come in that order, or not at all, is looked up.
    """

    def __init__(self, connection: Connection, written: CursorResult[Any]) -> None:
        self._connection = connection
        self._written = written
        self._ahead: dict[str, StoredCharge] = {}

    def of(self, usages: Sequence[str]) -> Sequence[StoredCharge]:
        """The charge of each of these usage records, or one that is all None; the empty name has none."""
        names = [name for name in usages if name]
        read = [_charge(row) for row in self._written.fetchmany(len(names))] if names else []
        if self._ahead or [one.usage for one in read] != names:
            return self._picked(usages, read)
        if len(names) == len(usages):
            return read
        following = iter(read)
        return [next(following) if name else _NO_CHARGE for name in usages]

    def _picked(self, usages: Sequence[str], read: Sequence[StoredCharge]) -> Sequence[StoredCharge]:
        ahead = self._ahead
        ahead.update((one.usage, one) for one in read)
        missing = {name for name in usages if name and name not in ahead}
        if missing:
            found = find_many(self._connection, charges, _CHARGE_KEYED, missing)
            ahead.update((row[0], _charge(row[1:])) for row in found)
        due = [ahead.get(name, _NO_CHARGE) for name in usages]
        for name in usages:
            ahead.pop(name, None)
        if len(ahead) > _AHEAD:
            ahead.clear()  # If it is asked for after all, it is looked up.
        return due


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


def _batches(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """All rows, some thousands at a time."""
    with closing(_streamed(connection, query)) as result:
        yield from result.partitions(_AT_ONCE)


def _streamed(connection: Connection, query: Select[Any]) -> CursorResult[Any]:
    """All rows as the driver gives them. The query has no parameters."""
    if connection.dialect.name == "postgresql":
        # Another reader's scan would be joined in its midst, out of the order in which rows were written.
        connection.exec_driver_sql("SET LOCAL synchronize_seqscans = off")
    return connection.exec_driver_sql(str(query), execution_options=_STREAM)


def _ids(connection: Connection, query: Select[Any]) -> Sequence[str]:
    return list(connection.execute(query).scalars())
