"""The auditor's streams give every row with what belongs to it, in whatever order the rows were written."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from tests.integration.store import samples

from petahour.model.usage import RatedUsage, TransferKind
from petahour.store.sql import streams
from petahour.store.sql.bulk import insert_many
from petahour.store.sql.rows import CHARGE, USAGE, charge_row, usage_row
from petahour.store.sql.schema import charges, usage_records
from petahour.store.sql.store import SqlStore


def rated(number: int) -> RatedUsage:
    """Every third costs nothing and has no transfer."""
    at = samples.HOUR + 10 * number
    record = replace(samples.USAGE, id=f"use-alloc-1-{at}", start_ms=at, end_ms=at + 10)
    micros = 0 if number % 3 == 0 else number
    charge = replace(samples.CHARGE, id=f"chg-alloc-1-{at}", usage=record.id, amount_micros=micros)
    moved = samples.transfer(f"trf-{charge.id}", TransferKind.CHARGE, micros)
    return RatedUsage(record, charge, replace(moved, cause=record.id) if micros else None)


@pytest.mark.parametrize("seed", range(12))
def test_a_stream_is_the_join_of_its_tables(
    store: SqlStore, another: Engine, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = random.Random(seed)
    monkeypatch.setattr(streams, "_AT_ONCE", drawn.randint(1, 9))
    monkeypatch.setattr(streams, "_AHEAD", drawn.randint(0, 9))
    every = [rated(number) for number in range(60)]
    # In order, a little out of order, or in none; and some without their charge, or with a charge and no transfer.
    spread = drawn.choice([0, 3, 60])
    shuffled = sorted(every, key=lambda one: one.record.start_ms + 10 * drawn.uniform(0, spread))
    uncharged = {one.record.id for one in drawn.sample(every, drawn.choice([0, 4]))}
    unposted = {one.record.id for one in drawn.sample(every, drawn.choice([0, 4]))}
    with store.write() as tx:
        samples.people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h")
        tx.allocations.add(samples.allocation(1))
    with another.begin() as connection:
        insert_many(connection, usage_records, USAGE, [usage_row(one.record) for one in every])
        charged = [charge_row(one.charge) for one in shuffled if one.record.id not in uncharged]
        insert_many(connection, charges, CHARGE, charged)
    with store.write() as tx:
        moved = [one.transfer for one in every if one.transfer is not None and one.record.id not in unposted]
        for transfer in (*moved[:20], samples.transfer("topup", TransferKind.TOPUP, 5), *moved[20:]):
            tx.ledger.post(transfer)
    charge_ids = {one.record.id: one.charge.id for one in every if one.record.id not in uncharged}
    with store.read() as tx:
        used = list(tx.ledger.every_usage())
        posted = list(tx.ledger.every_transfer())
        stored = tx.ledger.transfers()
    assert sorted(record.id for record, _ in used) == sorted(one.record.id for one in every)
    assert [charge.id for _, charge in used] == [charge_ids.get(record.id) for record, _ in used]
    assert [transfer.id for transfer, _, _ in posted] == [one.id for one in stored]
    assert [charge.id for _, _, charge in posted] == [
        charge_ids.get(transfer.cause) if transfer.kind == "charge" else None for transfer, _, _ in posted
    ]
