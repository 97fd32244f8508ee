"""Rows handed over by the thousand: what is wrong with them is heard, and nothing overtakes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError
from tests.integration.store import samples

from petahour.model.errors import UnavailableError
from petahour.model.usage import PricedUsage, TransferKind
from petahour.store.protocol import Transaction
from petahour.store.sql.bulk import insert_many
from petahour.store.sql.rows import USAGE, usage_row
from petahour.store.sql.schema import usage_records
from petahour.store.sql.store import SqlStore


def begin(tx: Transaction) -> None:
    samples.people_and_node(tx)
    tx.jobs.add(samples.job(1), key=None, request_hash="h")
    tx.allocations.add(samples.allocation(1))


def many(count: int, allocation: str = "alloc-1") -> list[PricedUsage]:
    starts = [samples.HOUR + 10 * number for number in range(count)]
    records = [
        replace(samples.USAGE, id=f"use-{allocation}-{at}", allocation=allocation, start_ms=at, end_ms=at + 10)
        for at in starts
    ]
    return [samples.PRICED._replace(record=record) for record in records]


def test_a_read_sees_the_rows_that_were_handed_over_before(store: SqlStore) -> None:
    with store.write() as tx:
        begin(tx)
        tx.ledger.bill(many(5_000), at_ms=samples.HOUR)
        assert tx.ledger.counts().usage_records == 5_000
        tx.ledger.bill(many(5_001), at_ms=samples.HOUR)
        assert len(tx.ledger.usage_of("alloc-1")) == 5_001


def reading(tx: Transaction) -> None:
    tx.ledger.counts()


def handing_over_more(tx: Transaction) -> None:
    tx.ledger.post(samples.transfer("t-1", TransferKind.TOPUP, 5))


def committing(tx: Transaction) -> None:
    assert tx is not None


@pytest.mark.parametrize("afterwards", [reading, handing_over_more, committing])
def test_a_row_that_cannot_be_ends_the_transaction_at_the_latest_with_its_commit(
    store: SqlStore, afterwards: Callable[[Transaction], None]
) -> None:
    with (  # noqa: PT012 - the block is the transaction
        pytest.raises(IntegrityError, match=r"FOREIGN KEY|allocation is alloc-9, which is not in allocations"),
        store.write() as tx,
    ):
        begin(tx)
        tx.ledger.bill([*many(3_000), *many(1, "alloc-9")], at_ms=samples.HOUR)
        afterwards(tx)
    with store.write() as tx:
        assert tx.ledger.counts().usage_records == 0
        begin(tx)
        assert len(tx.ledger.bill(many(3_000), at_ms=samples.HOUR)) == 3_000
    with store.read() as tx:
        assert tx.ledger.counts().usage_records == 3_000


def test_what_is_rolled_back_is_not_there_and_the_next_transaction_goes_on(store: SqlStore) -> None:
    for _ in range(3):
        with pytest.raises(RuntimeError, match="changed"), store.write() as tx:  # noqa: PT012 - the transaction
            begin(tx)
            tx.ledger.bill(many(3_000), at_ms=samples.HOUR)
            raise RuntimeError("changed my mind")
    with store.write() as tx:
        assert tx.ledger.counts().usage_records == 0
        assert tx.jobs.get("job-1") is None


def test_a_server_that_goes_while_it_has_rows_is_a_database_that_does_not_answer(store: SqlStore, url: str) -> None:
    if not store.shared:
        return  # SQLite has no server.
    other = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with pytest.raises(UnavailableError), store.write() as tx:  # noqa: PT012 - the block is the transaction
        begin(tx)
        tx.ledger.bill(many(3_000), at_ms=samples.HOUR)
        with other.connect() as connection:
            found = "FROM pg_stat_activity WHERE state <> 'idle' AND application_name = 'petahour'"
            assert connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) {found}")).all() == [(True,)]
    other.dispose()
    with store.write() as tx:
        assert tx.ledger.counts().usage_records == 0


def test_another_program_hears_at_once_what_is_wrong(store: SqlStore, another: Engine) -> None:
    with store.write() as tx:
        begin(tx)
    rows = [usage_row(one.record) for one in many(10)]
    with another.connect() as connection, connection.begin() as transaction:
        with pytest.raises(IntegrityError):
            insert_many(connection, usage_records, USAGE, [*rows, rows[0]])
        transaction.rollback()
    with another.begin() as connection:
        insert_many(connection, usage_records, USAGE, rows)
    with store.read() as tx:
        assert tx.ledger.counts().usage_records == 10
