"""Usage, charges and transfers in SQL; every transfer moves its two balances in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, func, or_, select

from petahour.billing.chain import GENESIS, link
from petahour.billing.ledger import apply_all, use_accounts
from petahour.billing.rate import rated
from petahour.model.usage import Balance, Charge, PricedUsage, RatedUsage, Transfer, TransferKind, UsageRecord
from petahour.store.protocol import Counts, StoredCharge, StoredTransfer, StoredUsage
from petahour.store.sql import streams
from petahour.store.sql.bulk import find_many, insert_many, known_ids, upsert_many
from petahour.store.sql.invoice_tables import invoiced_transfers, invoices
from petahour.store.sql.rows import (
    BALANCE,
    CHARGE,
    TRANSFER,
    USAGE,
    balance_row,
    charge_of,
    charge_row,
    transfer_of,
    transfer_row,
    usage_of,
    usage_row,
)
from petahour.store.sql.schema import accounts, charges, transfers, usage_records
from petahour.store.sql.statements import Noun, batches, credited, of_allocation, one, rows

_NOTHING: Mapping[str, Transfer] = {}


class _Before(NamedTuple):
    """What transfers find: the balances of their accounts, the holds that they close, and the end of the chain."""

    balances: Mapping[str, Balance]
    held: Mapping[str, Transfer]
    head: str


class SqlLedger:
    """The rows of money. It guards the end of the chain and the balances read within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last_hash: str | None = None

    # -- writing: what is stored already stays as it is ------------------------------------------------------

    def bill(self, priced: Sequence[PricedUsage], *, at_ms: int) -> Sequence[RatedUsage]:
        """Store the usage records that are new, each with its charge and transfer; which they are.

        They are rated while the database stores them. Charges and transfers are named after their record, so that
        unique ids refuse a second one of a new record.
        """
        fresh = self._new(usage_records.c.id, _first((one.record.id, one) for one in priced))
        before = self._before(_used(fresh))  # An answer would wait for the rows that are under way from here on.
        insert_many(self._connection, usage_records, USAGE, [usage_row(one.record) for one in fresh])
        done = [rated(one, at_ms=at_ms) for one in fresh]
        insert_many(self._connection, charges, CHARGE, [charge_row(one.charge) for one in done])
        self._append([one.transfer for one in done if one.transfer is not None], before)
        return done

    def post(self, transfer: Transfer) -> bool:
        return bool(self.post_all([transfer]))

    def post_all(self, posted: Sequence[Transfer]) -> Sequence[Transfer]:
        """Post those that are new, in this order, chained to what was posted before; which they are."""
        fresh = self._new(transfers.c.id, _first((one.id, one) for one in posted))
        moved = {account for one in fresh for account in (one.debit, one.credit)}
        self._append(fresh, self._before(moved, self._pending_of(fresh)))
        return fresh

    def _append(self, fresh: Sequence[Transfer], before: _Before) -> None:
        """Apply these to their balances and chain them to the last one."""
        if not fresh:
            return
        after = apply_all(before.balances, fresh, before.held)
        chained = []
        previous = before.head
        for transfer in fresh:
            previous = link(previous, transfer)
            chained.append((*transfer_row(transfer), previous))
        upsert_many(self._connection, accounts, BALANCE, [balance_row(balance) for balance in after.values()])
        insert_many(self._connection, transfers, (*TRANSFER, "hash"), chained)
        self._last_hash = previous

    def _before(self, moved: Set[str], held: Mapping[str, Transfer] = _NOTHING) -> _Before:
        return _Before(self._balances_of(moved), held, self.head() if moved else "")

    def _new(self, column: Column[Any], nouns: Mapping[str, Noun]) -> list[Noun]:
        """Those whose id is not stored, in the order given."""
        stored = known_ids(self._connection, column, nouns)
        return [noun for name, noun in nouns.items() if name not in stored]

    def head(self) -> str:
        """The hash of the last transfer."""
        if self._last_hash is None:
            query = select(transfers.c.hash).order_by(transfers.c.seq.desc()).limit(1)
            self._last_hash = self._connection.execute(query).scalar() or GENESIS
        return self._last_hash

    def _pending_of(self, fresh: Iterable[Transfer]) -> Mapping[str, Transfer]:
        return self.many(transfer.pending for transfer in fresh if transfer.pending)

    def _balances_of(self, moved: Set[str]) -> dict[str, Balance]:
        found = find_many(self._connection, accounts, BALANCE, moved)
        return {row[0]: Balance(**dict(zip(BALANCE, row, strict=True))) for row in found}

    # -- reading -----------------------------------------------------------------------------------------------

    def transfer(self, transfer_id: str) -> Transfer | None:
        return one(self._connection, select(transfers).where(transfers.c.id == transfer_id), transfer_of)

    def many(self, transfer_ids: Iterable[str]) -> Mapping[str, Transfer]:
        """Those of these transfers that are stored, by id."""
        found: dict[str, Transfer] = {}
        for batch in batches(transfer_ids):
            query = select(transfers).where(transfers.c.id.in_(batch))
            found |= {item.id: item for item in rows(self._connection, query, transfer_of)}
        return found

    def consequence(self, transfer: Transfer) -> Transfer | None:
        """What closed this pending transfer, or took this other one back."""
        closing = transfers.c.pending == transfer.id
        reversing = transfers.c.id == "trf-rev-" + transfer.id.removeprefix("trf-")
        query = select(transfers).where(closing if transfer.kind is TransferKind.PENDING else reversing)
        return one(self._connection, query, transfer_of)

    def invoice_of(self, transfer_id: str) -> str | None:
        """The number of the invoice that bills a transfer, or its id while it has none."""
        joined = transfers.join(invoiced_transfers, invoiced_transfers.c.transfer == transfers.c.seq).join(
            invoices, invoices.c.id == invoiced_transfers.c.invoice
        )
        query = select(func.coalesce(invoices.c.number, invoices.c.id)).select_from(joined)
        return self._connection.execute(query.where(transfers.c.id == transfer_id)).scalar()

    def usage_record(self, usage_id: str) -> UsageRecord | None:
        return one(self._connection, select(usage_records).where(usage_records.c.id == usage_id), usage_of)

    def charge(self, charge_id: str) -> Charge | None:
        found = self.charge_of("use-" + charge_id.removeprefix("chg-"))
        return found if found is not None and found.id == charge_id else None

    def charge_of(self, usage_id: str) -> Charge | None:
        return one(self._connection, select(charges).where(charges.c.usage == usage_id), charge_of)

    def balance(self, account: str, currency: str) -> Balance:
        found = one(self._connection, select(accounts).where(accounts.c.account == account), _balance_of)
        return found or Balance(account=account, currency=currency)

    def balances(self) -> Sequence[Balance]:
        return rows(self._connection, select(accounts).order_by(accounts.c.account), _balance_of)

    def usage(self, *, tenant: str | None, from_ms: int, to_ms: int) -> Sequence[UsageRecord]:
        column = usage_records.c
        query = select(*(column[name] for name in USAGE)).order_by(column.start_ms, column.id)
        query = _of_tenant(query, column.tenant, tenant).where(column.start_ms < to_ms, column.end_ms > from_ms)
        # A month of them fits into memory once, as records, but not as the driver's rows besides.
        found = self._connection.execute(query, execution_options={"yield_per": 5_000})
        return [usage_of(dict(zip(USAGE, row, strict=True))) for row in found]

    def usage_of(self, allocation: str) -> Sequence[UsageRecord]:
        column = usage_records.c
        query = select(usage_records).where(of_allocation(allocation)).order_by(column.start_ms, column.end_ms)
        return rows(self._connection, query, usage_of)

    def charges(self, *, tenant: str | None, from_ms: int, to_ms: int) -> Sequence[Charge]:
        column = usage_records.c
        query = select(charges).join_from(usage_records, charges, charges.c.usage == column.id)
        query = _of_tenant(query, column.tenant, tenant).order_by(charges.c.hour_ms, charges.c.id)
        return rows(self._connection, query.where(column.hour_ms < to_ms, column.hour_ms >= from_ms), charge_of)

    def transfers(self, *, accounts: Sequence[str] = (), until_ms: int | None = None) -> Sequence[Transfer]:
        query = select(transfers).order_by(transfers.c.seq)
        if until_ms is not None:
            query = query.where(transfers.c.at_ms < until_ms)
        if accounts:
            query = query.where(or_(transfers.c.debit.in_(accounts), credited(accounts)))
        return rows(self._connection, query, transfer_of)

    def expired(self, *, now_ms: int, limit: int) -> Sequence[Transfer]:
        """Open pending transfers whose time is over, the longest expired first."""
        closing = transfers.alias("closing")
        query = (
            select(transfers)
            .where(transfers.c.expires_ms <= now_ms)
            .where(~select(closing.c.id).where(closing.c.pending == transfers.c.id).exists())
            .order_by(transfers.c.expires_ms, transfers.c.seq)
            .limit(limit)
        )
        return rows(self._connection, query, transfer_of)

    # -- for the auditor: every row, streamed --------------------------------------------------------------------

    def every_usage(self) -> Iterator[tuple[StoredUsage, StoredCharge]]:
        return streams.every_usage(self._connection)

    def every_transfer(self) -> Iterator[tuple[StoredTransfer, str, StoredCharge]]:
        return streams.every_transfer(self._connection)

    def credit_moves(
        self, tenant: str, currency: str, *, holds: bool = True
    ) -> Iterator[tuple[StoredTransfer, str | None]]:
        return streams.credit_moves(self._connection, tenant, currency, holds=holds)

    def charges_without_usage(self) -> Sequence[str]:
        return streams.charges_without_usage(self._connection)

    def charges_without_transfer(self) -> Sequence[str]:
        return streams.charges_without_transfer(self._connection)

    def counts(self) -> Counts:
        return streams.counts(self._connection)

    def charge_count(self, *, payable: bool = False) -> int:
        return streams.charge_count(self._connection, payable=payable)


def _first(named: Iterable[tuple[str, Noun]]) -> dict[str, Noun]:
    """By id, in the order given, of each id the first."""
    found: dict[str, Noun] = {}
    for name, noun in named:
        found.setdefault(name, noun)
    return found


def _used(priced: Iterable[PricedUsage]) -> set[str]:
    """The accounts that use is taken from and earned in."""
    kinds = {
        (record.tenant, currency, record.type, record.tier, record.rehearsal, postpaid)
        for record, _, _, currency, postpaid in priced
    }
    return {
        account
        for tenant, currency, name, tier, rehearsal, postpaid in kinds
        for account in use_accounts(
            tenant=tenant, currency=currency, type=name, tier=tier, rehearsal=rehearsal, postpaid=postpaid
        )
    }


def _of_tenant(query: Select[Any], column: ColumnElement[Any], tenant: str | None) -> Select[Any]:
    return query if tenant is None else query.where(column == tenant)


def _balance_of(row: Mapping[str, Any]) -> Balance:
    return Balance(**row)
