"""The ledger's chain: one order for all writers, the same in batches, and put under what an older version wrote."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, make_url, text
from tests.integration.store import samples

from petahour.billing.chain import GENESIS
from petahour.billing.ledger import expire, post, void
from petahour.model.errors import InvariantError
from petahour.model.usage import Transfer, TransferKind
from petahour.store.migrations.run import configuration
from petahour.store.sql.store import SqlStore, open_store

COLUMNS = "id, kind, debit, credit, amount_micros, currency, at_ms, cause, pending, note, expires_ms"


def chained(url: str) -> list[str]:
    """The stored hashes, each checked with tools of another kind than those that wrote it; the ids in order."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    previous, ids = GENESIS, []
    with engine.connect() as connection:
        for *fields, stored in connection.execute(text(f"SELECT {COLUMNS}, hash FROM transfers ORDER BY seq")):
            fields[8] = fields[8] or ""
            encoded = json.dumps([previous, *fields], ensure_ascii=False, separators=(",", ":"))
            previous = hashlib.sha256(encoded.encode()).hexdigest()
            assert stored == previous
            ids.append(fields[0])
    engine.dispose()
    return ids


def topups(*names: str) -> list[Transfer]:
    return [replace(samples.transfer(name, TransferKind.TOPUP, 5), note='in "北京"\n') for name in names]


def test_rows_are_chained_in_the_order_of_commits(store: SqlStore, url: str) -> None:
    with store.write() as tx:
        tx.ledger.post(topups("a")[0])
        assert [item.id for item in tx.ledger.post_all(topups("a", "b", "c", "b"))] == ["b", "c"]
        tx.ledger.post(topups("d")[0])
    with pytest.raises(InvariantError), store.write() as tx:  # noqa: PT012 - the block is the transaction
        tx.ledger.post(topups("lost")[0])
        tx.ledger.post(replace(topups("e")[0], debit="prepaid:acme:CNY"))
    with store.write() as tx:
        tx.ledger.post_all(topups("e", "f"))
    assert chained(url) == ["a", "b", "c", "d", "e", "f"]


def test_writers_share_one_chain(url: str) -> None:
    stores = [open_store(url), open_store(url)]

    def write(number: int) -> None:
        with stores[number % 2].write() as tx:
            tx.ledger.post_all(topups(f"t-{number}", f"u-{number}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(20)))
    assert len(chained(url)) == 40
    for store in stores:
        store.close()


def test_a_batch_says_the_same_as_single_posts(url: str, store: SqlStore, tmp_path: object) -> None:
    held = replace(samples.transfer("h-1", TransferKind.PENDING, 9), expires_ms=samples.HOUR + 5)
    other = replace(held, id="h-2", expires_ms=None)
    third = replace(held, id="h-3")
    wanted = [
        *topups("a", "b"),
        held,
        other,
        third,
        post(other, amount_micros=4, at_ms=samples.HOUR),
        void(third, at_ms=samples.HOUR),
        expire(held, at_ms=samples.HOUR + 5),
    ]
    single = open_store(f"sqlite:///{tmp_path}/single.db")
    with single.write() as tx:
        for transfer in wanted:
            assert tx.ledger.post(transfer)
        assert not tx.ledger.post(wanted[0])
    with store.write() as tx:
        assert tx.ledger.post_all(wanted) == wanted
        assert tx.ledger.post_all(wanted) == []
    with single.read() as one, store.read() as many:
        assert one.ledger.transfers() == many.ledger.transfers() == wanted
        assert one.ledger.balances() == many.ledger.balances()
        assert many.ledger.balance("prepaid:acme:CNY", "CNY").pending_credits_micros == 0
        assert many.ledger.balance("prepaid:acme:CNY", "CNY").credits_micros == 14
    single.close()


def test_what_has_expired_is_found_until_it_is_closed(store: SqlStore) -> None:
    def waiting(name: str, expires_ms: int | None) -> Transfer:
        return replace(samples.transfer(name, TransferKind.PENDING, 1), expires_ms=expires_ms)

    with store.write() as tx:
        tx.ledger.post_all([waiting("late", 30), waiting("soon", 10), waiting("never", None), waiting("then", 20)])
        tx.ledger.post(void(waiting("then", 20), at_ms=15))
    with store.write() as tx:
        assert [item.id for item in tx.ledger.expired(now_ms=9, limit=9)] == []
        assert [item.id for item in tx.ledger.expired(now_ms=30, limit=9)] == ["soon", "late"]
        tx.ledger.post(expire(waiting("soon", 10), at_ms=30))
        assert [item.id for item in tx.ledger.expired(now_ms=30, limit=9)] == ["late"]


def test_a_ledger_of_the_first_schema_is_chained_when_it_is_opened(url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    with engine.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        _old_rows(connection)
    engine.dispose()

    store = open_store(url)
    with store.write() as tx:
        assert [item.id for item in tx.ledger.transfers()] == ["t-1", "t-2", "t-3"]
        assert tx.ledger.usage(tenant=None, from_ms=0, to_ms=2**62) == [samples.USAGE]
        assert tx.ledger.charges(tenant=None, from_ms=0, to_ms=2**62) == [samples.CHARGE]
        tx.ledger.post(topups("new")[0])
    store.close()
    assert chained(url) == ["t-1", "t-2", "t-3", "new"]


def _old_rows(connection: Connection) -> None:
    """A job with its use, and three transfers, as the first schema held them."""
    connection.execute(
        text(
            'INSERT INTO jobs (id, tenant, project, "user", spec, state, submitted_ms, attempt, failures, '
            "preemptions, losses, message, request_hash) VALUES ('job-1', 'acme', 'default', 'ann', '{}', "
            "'running', 1, 1, 0, 0, 0, '', 'h')"
        )
    )
    connection.execute(
        text(
            "INSERT INTO allocations (id, job, tenant, project, attempt, type, tier, engine, slots, rehearsal, "
            "borrowed, price_book, price_micros, currency, state, placed_ms, stop_for, hold_transfer) VALUES "
            "('alloc-1', 'job-1', 'acme', 'default', 1, 'cpu', 'spot', 'local', '[]', true, false, 'b', 1, 'CNY', "
            "'running', 1, '', '')"
        )
    )
    usage = {**{name: getattr(samples.USAGE, name) for name in samples.USAGE.__slots__}, "tier": "spot"}
    usage["waive_reason"] = "lost"
    charge = {**{name: getattr(samples.CHARGE, name) for name in samples.CHARGE.__slots__}, "tier": "spot"}
    for table, row in (("usage_records", usage), ("charges", charge)):
        names = ", ".join(row)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES (:{names.replace(', ', ', :')})"), row)
    for account in ("cash:operator:CNY", "prepaid:acme:CNY"):
        connection.execute(text(f"INSERT INTO accounts VALUES ('{account}', 'CNY', 9, 9, 0, 0)"))
    for number, kind, pending in ((1, "topup", None), (2, "pending", None), (3, "void", "t-2")):
        row = {"id": f"t-{number}", "kind": kind, "pending": pending}
        connection.execute(
            text(
                "INSERT INTO transfers (id, kind, debit, credit, amount_micros, currency, at_ms, cause, pending, "
                "note) VALUES (:id, :kind, 'cash:operator:CNY', 'prepaid:acme:CNY', 5, 'CNY', 1, 'k', :pending, 'ü')"
            ),
            row,
        )
