"""Transactions: all or nothing, one writer at a time, and an accelerator held once."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError
from tests.integration.store import samples
from tests.integration.store.samples import people_and_node

from petahour.model.errors import InvariantError, UnavailableError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.usage import TransferKind
from petahour.store.sql.store import SqlStore, open_store


class DeliberateError(Exception):
    """Raised by a test inside a transaction."""


def test_a_failed_transaction_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(DeliberateError), store.write() as tx:  # noqa: PT012 - the block is the transaction
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key="k", request_hash="h")
        tx.allocations.add(samples.allocation(1))
        tx.ledger.post(samples.transfer("t-1", TransferKind.TOPUP, 5))
        tx.events.append(Event(kind=EventKind.TENANT_CREATED, at_ms=1))
        raise DeliberateError
    with store.read() as tx:
        assert tx.people.tenants() == tx.fleet.every() == tx.jobs.unfinished() == tx.allocations.every() == []
        assert tx.ledger.transfers() == tx.ledger.balances() == tx.events.after(0, limit=9) == []
        assert tx.allocations.held("n1") == {}


def test_who_waits_writes_before_who_has_just_written(store: SqlStore) -> None:
    """One that writes in batches, as the close of an hour does, lets others in between them."""
    wrote: list[str] = []
    with ThreadPoolExecutor(1) as pool:

        def other() -> None:
            with store.write():
                wrote.append("other")

        with store.write():
            waiting = pool.submit(other)
            while not store._writer.awaited:
                assert not waiting.done()
            wrote.append("first batch")
        with store.write():
            wrote.append("second batch")
        waiting.result()
    assert wrote == ["first batch", "other", "second batch"]


@pytest.mark.parametrize("stores", [1, 2])
def test_writers_are_serialised(url: str, stores: int) -> None:
    """Read, add one, write: no update is lost, within one process's store or between two."""
    opened = [open_store(url) for _ in range(stores)]
    with opened[0].write() as tx:
        people_and_node(tx)

    def add_one(turn: int) -> None:
        with opened[turn % stores].write() as tx:
            quota = next(iter(tx.people.quotas("acme")), replace(samples.QUOTA, nominal=0))
            tx.people.put_quota(replace(quota, nominal=quota.nominal + 1))
            tx.events.append(Event(kind=EventKind.QUOTA_SET, at_ms=turn, data={"nominal": quota.nominal + 1}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(40)))
    with opened[0].read() as tx:
        assert [quota.nominal for quota in tx.people.quotas("acme")] == [40]
        # The log's order is the order of the commits.
        assert [event.data["nominal"] for event in tx.events.after(0, limit=99)] == list(range(1, 41))
    for one in opened:
        one.close()


def test_readers_see_no_half_of_a_write(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        with store.read() as other:
            assert other.people.tenants() == other.fleet.every() == []


def test_a_reader_keeps_its_view(store: SqlStore) -> None:
    with store.read() as before:
        assert before.people.tenants() == []
        with store.write() as tx:
            tx.people.add_tenant(samples.TENANT)
        assert before.people.tenants() == []


def test_the_database_gives_no_accelerator_twice(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h")
        tx.allocations.add(samples.allocation(1, indexes=(0, 1)))
    with pytest.raises(InvariantError, match="given twice"), store.write() as tx:
        tx.allocations.add(samples.allocation(2, indexes=(1, 2)))
    with store.write() as tx:
        assert tx.allocations.get("alloc-2") is None
        assert tx.allocations.held("n1") == {0: "alloc-1", 1: "alloc-1"}
        tx.allocations.release("alloc-1")
        tx.allocations.add(samples.allocation(2, indexes=(1, 2)))
    with store.read() as tx:
        assert tx.allocations.held("n1") == {1: "alloc-2", 2: "alloc-2"}


def test_a_hold_is_closed_once(store: SqlStore) -> None:
    with store.write() as tx:
        tx.ledger.post(samples.transfer("t-1", TransferKind.PENDING, 7))
        tx.ledger.post(samples.transfer("t-2", TransferKind.VOID, 7, pending="t-1"))
    with pytest.raises((IntegrityError, InvariantError)), store.write() as tx:
        tx.ledger.post(samples.transfer("t-3", TransferKind.VOID, 7, pending="t-1"))


def test_a_submission_key_makes_one_job(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key="k", request_hash="h")
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.jobs.add(samples.job(2), key="k", request_hash="h")


def test_urls_that_name_no_database_are_refused() -> None:
    for url in ("mysql://root@127.0.0.1/x", "not a url", ""):
        with pytest.raises(ValidationError, match="database-url"):
            open_store(url)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="the database must answer"):
        open_store("postgresql://postgres@127.0.0.1:1/petahour")


def test_a_server_that_does_not_say_anything_is_unavailable() -> None:
    """A host that accepts and stays silent, as a frozen server does, and is given up after a while."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(UnavailableError, match="the database must answer"):
            open_store(f"postgresql://postgres@127.0.0.1:{port}/petahour")
