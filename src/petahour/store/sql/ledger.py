"""Usage, charges and transfers in SQL; every transfer moves its two balances in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, or_, select, update

from petahour.billing.ledger import apply
from petahour.model.errors import InvariantError
from petahour.model.usage import Balance, Charge, Transfer, UsageRecord
from petahour.store.sql.rows import charge_of, plain, transfer_of, transfer_row, usage_of
from petahour.store.sql.schema import accounts, charges, transfers, usage_records
from petahour.store.sql.statements import insert_new, one, rows


class SqlLedger:
    """The rows of money."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_usage(self, record: UsageRecord) -> bool:
        return insert_new(self._connection, usage_records, usage_records.c.id, plain(asdict(record)))

    def add_charge(self, charge: Charge) -> bool:
        return insert_new(self._connection, charges, charges.c.id, plain(asdict(charge)))

    def post(self, transfer: Transfer) -> bool:
        if self.transfer(transfer.id) is not None:
            return False
        pending = None
        if transfer.pending:
            pending = self.transfer(transfer.pending)
            if pending is None:
                raise InvariantError(rule="a pending transfer exists before it is closed", value=transfer.id)
        debit = self.balance(transfer.debit, transfer.currency)
        credit = self.balance(transfer.credit, transfer.currency)
        for balance in apply(debit, credit, transfer, pending):
            self._keep(balance)
        self._connection.execute(insert(transfers), transfer_row(transfer))
        return True

    def transfer(self, transfer_id: str) -> Transfer | None:
        return one(self._connection, select(transfers).where(transfers.c.id == transfer_id), transfer_of)

    def balance(self, account: str, currency: str) -> Balance:
        found = one(self._connection, select(accounts).where(accounts.c.account == account), _balance_of)
        return found or Balance(account=account, currency=currency)

    def balances(self) -> Sequence[Balance]:
        return rows(self._connection, select(accounts).order_by(accounts.c.account), _balance_of)

    def usage(self, *, tenant: str | None, from_ms: int, to_ms: int) -> Sequence[UsageRecord]:
        column = usage_records.c
        query = select(usage_records).order_by(column.start_ms, column.id)
        query = _of_tenant(query, column.tenant, tenant)
        return rows(self._connection, query.where(column.start_ms < to_ms, column.end_ms > from_ms), usage_of)

    def charges(self, *, tenant: str | None, from_ms: int, to_ms: int) -> Sequence[Charge]:
        column = charges.c
        query = select(charges).order_by(column.hour_ms, column.id)
        query = _of_tenant(query, column.tenant, tenant)
        return rows(self._connection, query.where(column.hour_ms < to_ms, column.hour_ms >= from_ms), charge_of)

    def transfers(self, *, accounts: Sequence[str] = (), until_ms: int | None = None) -> Sequence[Transfer]:
        query = select(transfers).order_by(transfers.c.seq)
        if until_ms is not None:
            query = query.where(transfers.c.at_ms < until_ms)
        if accounts:
            query = query.where(or_(transfers.c.debit.in_(accounts), transfers.c.credit.in_(accounts)))
        return rows(self._connection, query, transfer_of)

    def _keep(self, balance: Balance) -> None:
        row = asdict(balance)
        same = accounts.c.account == balance.account
        if not self._connection.execute(update(accounts).where(same), row).rowcount:
            self._connection.execute(insert(accounts), row)


def _of_tenant(query: Select[Any], column: ColumnElement[Any], tenant: str | None) -> Select[Any]:
    return query if tenant is None else query.where(column == tenant)


def _balance_of(row: Mapping[str, Any]) -> Balance:
    return Balance(**row)
