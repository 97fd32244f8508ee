"""What the database itself refuses, whatever program asks: changed or deleted records, and rows that cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from tests.integration.store import samples
from tests.integration.store.samples import people_and_node

from petahour.model.events import Event, EventKind
from petahour.model.usage import PricedUsage, TransferKind
from petahour.store.sql.bulk import insert_many
from petahour.store.sql.rows import CHARGE, charge_row
from petahour.store.sql.schema import charges
from petahour.store.sql.store import SqlStore

FREE = "0" * 64


@pytest.fixture
def engine(store: SqlStore, another: Engine) -> Engine:
    """Another program at the same database, in which every kind of record lies once."""
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h")
        tx.allocations.add(samples.allocation(1))
        tx.ledger.bill([samples.PRICED], at_ms=samples.HOUR)
        tx.ledger.post(samples.transfer("t-1", TransferKind.TOPUP, 5))
        tx.ledger.post(samples.transfer("t-2", TransferKind.PENDING, 3))
        tx.events.append(Event(kind=EventKind.TENANT_CREATED, at_ms=1))
    return another


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET at_ms = 2",
        "DELETE FROM events",
        "UPDATE usage_records SET tenant = 'other'",
        "DELETE FROM usage_records",
        "UPDATE charges SET amount_micros = 1",
        "DELETE FROM charges",
        "UPDATE transfers SET note = 'mine'",
        "UPDATE transfers SET hash = hash",
        "DELETE FROM transfers",
        "DELETE FROM accounts",
        "UPDATE accounts SET debits_micros = debits_micros - 1 WHERE account LIKE 'cash:%'",
        "UPDATE accounts SET credits_micros = 0 WHERE account LIKE 'prepaid:%'",
        "UPDATE accounts SET account = 'cash:mine:CNY' WHERE account LIKE 'cash:%'",
    ],
)
def test_the_record_is_never_changed(engine: Engine, statement: str) -> None:
    with pytest.raises(IntegrityError, match=r"append-only|kept for ever|only grow"), engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("table", ["events", "usage_records", "charges", "transfers", "accounts"])
def test_no_table_of_the_record_is_emptied(engine: Engine, table: str) -> None:
    statement = f"DELETE FROM {table}" if engine.dialect.name == "sqlite" else f"TRUNCATE {table} CASCADE"
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "t-1"},
        {"amount_micros": -1},
        {"debit": "prepaid:acme:CNY"},
        {"debit": "cash:nobody:CNY"},
        {"pending": "t-2"},
        {"kind": "void"},
        {"kind": "void", "pending": "t-none"},
        {"expires_ms": 7},
        {"hash": "short"},
    ],
)
def test_rows_that_cannot_be_are_refused(engine: Engine, changed: dict[str, object]) -> None:
    row: dict[str, object] = {
        "id": "t-9",
        "kind": "topup",
        "debit": "cash:operator:CNY",
        "credit": "prepaid:acme:CNY",
        "amount_micros": 1,
        "currency": "CNY",
        "at_ms": 1,
        "cause": "k",
        "pending": None,
        "note": "",
        "expires_ms": None,
        "hash": FREE,
    }
    insert = f"INSERT INTO transfers ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(insert), row | changed)
    with engine.begin() as connection:
        connection.execute(text(insert), row)


def test_usage_needs_its_allocation(store: SqlStore) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.ledger.bill([samples.PRICED], at_ms=samples.HOUR)


def test_a_charge_needs_its_usage(store: SqlStore, engine: Engine) -> None:
    charge = replace(samples.CHARGE, id="chg-alloc-1-0", usage="use-alloc-1-0")
    with pytest.raises(IntegrityError), engine.begin() as connection:
        insert_many(connection, charges, CHARGE, [charge_row(charge)])
    with store.read() as tx:
        assert tx.ledger.charge_of(charge.usage) is None


def test_one_usage_record_of_many_that_is_of_no_allocation_lets_none_in(store: SqlStore, engine: Engine) -> None:
    def priced(allocation: str, start_ms: int) -> PricedUsage:
        name = f"{allocation}-{start_ms}"
        record = replace(
            samples.USAGE, id=f"use-{name}", allocation=allocation, start_ms=start_ms, end_ms=start_ms + 10
        )
        return samples.PRICED._replace(record=record)

    later = [priced("alloc-1", samples.HOUR + start_ms) for start_ms in (10, 20)]
    refused = r"FOREIGN KEY|allocation is alloc-none, which is not in allocations"
    with pytest.raises(IntegrityError, match=refused), store.write() as tx:
        tx.ledger.bill([later[0], priced("alloc-none", samples.HOUR)], at_ms=samples.HOUR)
    with store.write() as tx:
        assert tx.ledger.usage_of("alloc-1") == [samples.USAGE]
        assert [one.record for one in tx.ledger.bill(later, at_ms=samples.HOUR)] == [one.record for one in later]


@pytest.mark.parametrize("column", ["debit", "credit"])
def test_one_transfer_of_many_on_an_unknown_account_lets_none_in(engine: Engine, column: str) -> None:
    copied = "kind, debit, credit, amount_micros, currency, at_ms, cause, pending, note, expires_ms, hash"
    other = copied.replace(column, "'cash:nobody:CNY'")
    statement = f"""
        INSERT INTO transfers (id, {copied}) SELECT 't-8', {copied} FROM transfers WHERE id = 't-1'
        UNION ALL SELECT 't-9', {other} FROM transfers WHERE id = 't-1'"""
    with engine.connect() as connection:
        with pytest.raises(IntegrityError, match=r"FOREIGN KEY|is cash:nobody:CNY, which is not in accounts"):
            connection.execute(text(statement))
        connection.rollback()
        assert connection.execute(text("SELECT count(*) FROM transfers")).scalar() == 2


@pytest.mark.parametrize("statement", ["DELETE FROM allocations", "UPDATE allocations SET id = 'other'"])
def test_an_allocation_that_has_usage_stays(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM held_accelerators"))
    with pytest.raises(IntegrityError, match=r"FOREIGN KEY|append-only"), engine.begin() as connection:
        connection.execute(text(statement))
