"""A month of use as a store full of it: tenants, jobs, allocations and events, with the usage posted hour by hour.

Everything is made of a seed, so that two runs measure the same month. Jobs run one after another on lanes, each a
node of its own, so that every promise that the auditor checks holds of what is made here.

    python benchmarks/money_month.py sqlite:////tmp/month.db --records 20000 --tenants 50
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from sqlalchemy import Connection, Table, create_engine, make_url

from petahour.control.metering import post_usages
from petahour.control.settings import Settings
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, JobSpec, JobState, Tier
from petahour.model.resources import Gang, Node, Slot
from petahour.model.tenants import Project, Tenant
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS, month_bounds
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id
from petahour.store.sql.bulk import insert_many
from petahour.store.sql.rows import allocation_row, event_row, job_row
from petahour.store.sql.schema import allocations, events, jobs
from petahour.store.sql.store import SqlStore, open_store

MONTH = "2026-03"
PRICES = {"a100-80g-sxm": 14_000_000, "h800-80g-sxm": 24_000_000, "ascend-910b3": 11_500_000, "a10": 3_100_000}
TIERS = {Tier.ON_DEMAND: 100, Tier.RESERVED: 70, Tier.SPOT: 40}  # per cent of the price
MEAN_HOURS = 40
TRANSACTION = Settings().closings_per_commit  # usage records a transaction, as when the control loop closes an hour


@dataclass(frozen=True, kw_only=True)
class Month:
    """How large a month: about ``records`` usage records in its first ``days``, of so many tenants."""

    records: int = 2_000_000
    tenants: int = 500
    seed: int = 1
    month: str = MONTH
    days: int = 31

    @property
    def lanes(self) -> int:
        """Jobs that run at a time, for as many records as wanted: about one an hour and lane."""
        from_ms, to_ms = self.bounds
        hours = (to_ms - from_ms) // HOUR_MS
        return max(1, round(self.records / (hours * 1.05)))

    @property
    def bounds(self) -> tuple[int, int]:
        """From when until when jobs run, ``[from_ms, to_ms)``."""
        from_ms, to_ms = month_bounds(self.month)
        return from_ms, min(to_ms, from_ms + self.days * 24 * HOUR_MS)


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What was posted, and how long the transactions of it took, on the wall and of this process's processor time.

    What the month itself needs to say who runs in which hour is not counted.
    """

    records: int
    transactions: int
    seconds: float
    cpu_s: float


def fill(url: str, month: Month) -> Posted:
    """Make the month in an empty database and post its usage, hour by hour. Returns what the posting took."""
    store = open_store(url)
    try:
        held = prepare(url, store, month)
        return post_month(store, held, month)
    finally:
        store.close()


def prepare(url: str, store: SqlStore, month: Month) -> list[Allocation]:
    """Tenants with credit, nodes, jobs, allocations and their events; the allocations in order of placement."""
    with store.write() as tx:
        from_ms, _ = month_bounds(month.month)
        for tenant in tenants_of(month):
            tx.people.add_tenant(tenant)
            tx.people.add_project(project_of(tenant))
        topups = [_topup(tenant, from_ms) for tenant in tenants_of(month)]
        tx.ledger.post_all(topups)
        for event in _openings(month, topups):
            tx.events.append(event)
        for lane in range(month.lanes):
            tx.fleet.put(_node(month, lane))
    held = sorted(_held(month), key=lambda one: (one.placed_ms, one.id))
    engine = create_engine(_driver(url))
    with engine.begin() as connection:
        _store_runs(connection, held)
    engine.dispose()
    return held


def post_month(store: SqlStore, held: list[Allocation], month: Month) -> Posted:
    """Close the month's hours one after another, as the control loop does, until the last allocation has ended."""
    waiting = iter([*held, None])
    following = next(waiting)
    running: list[tuple[int, str, Allocation]] = []
    hour_ms, _ = month_bounds(month.month)
    transactions = 0
    with store.read() as tx:
        before_all = tx.ledger.counts().usage_records
    seconds = cpu_s = 0.0
    while running or following is not None:
        hour_ms += HOUR_MS
        while following is not None and following.placed_ms < hour_ms:
            heappush(running, (following.ended_ms or 0, following.id, following))
            following = next(waiting)
        # What ended in this hour is metered to its end, the rest to the end of the hour.
        due = [item for _, _, item in running]
        while running and running[0][0] <= hour_ms:
            heappop(running)
        metered: dict[str, int] = {}
        began, worked = time.perf_counter(), time.process_time()
        for first in range(0, len(due), TRANSACTION):
            with store.write() as tx:
                done = post_usages(tx, due[first : first + TRANSACTION], until_ms=hour_ms, at_ms=hour_ms)
            metered |= done.metered_ms
            transactions += 1
        seconds, cpu_s = seconds + time.perf_counter() - began, cpu_s + time.process_time() - worked
        running = [(end_ms, name, replace(item, metered_ms=metered[name])) for end_ms, name, item in running]
    with store.read() as tx:
        count = tx.ledger.counts().usage_records - before_all
    return Posted(records=count, transactions=transactions, seconds=seconds, cpu_s=cpu_s)


def tenants_of(month: Month) -> list[Tenant]:
    from_ms, _ = month_bounds(month.month)
    names = [f"tenant-{number:04d}" for number in range(month.tenants)]
    return [Tenant(name=name, title=name.title(), currency="CNY", created_ms=from_ms) for name in names]


def project_of(tenant: Tenant) -> Project:
    return Project(tenant=tenant.name, name="default", directory=f"/srv/{tenant.name}", created_ms=tenant.created_ms)


def _held(month: Month) -> Iterator[Allocation]:
    """Jobs of every lane, one after another, from the month's beginning until its end."""
    drawn = random.Random(month.seed)
    from_ms, to_ms = month.bounds
    number = 0
    for lane in range(month.lanes):
        node = _node(month, lane)
        at_ms = from_ms + drawn.randrange(30 * MINUTE_MS)
        while at_ms < to_ms - 10 * MINUTE_MS:
            hours = drawn.expovariate(1 / MEAN_HOURS)
            placed_ms, started_ms = at_ms, at_ms + drawn.randrange(SECOND_MS, 20 * SECOND_MS)
            ended_ms = min(started_ms + MINUTE_MS + int(hours * HOUR_MS), to_ms - drawn.randrange(MINUTE_MS))
            tier = drawn.choice(list(TIERS))
            number += 1
            yield Allocation(
                id=f"alloc-m{number:07d}-1",
                job=f"job-m{number:07d}",
                tenant=f"tenant-{drawn.randrange(month.tenants):04d}",
                project="default",
                attempt=1,
                type=node.type,
                tier=tier,
                engine="local",
                slots=(Slot(node=node.name, indexes=tuple(range(drawn.choice((1, 2, 4, 8))))),),
                rehearsal=False,
                borrowed=False,
                price_book="month",
                price_micros=PRICES[node.type] * TIERS[tier] // 100,
                currency="CNY",
                state=AllocationState.ENDED,
                placed_ms=placed_ms,
                started_ms=started_ms,
                ended_ms=ended_ms,
                end_kind=EndKind.SUCCEEDED,
            )
            at_ms = ended_ms + drawn.randrange(5 * MINUTE_MS)


def _node(month: Month, lane: int) -> Node:
    name = list(PRICES)[lane % len(PRICES)]
    return Node(name=f"lane-{lane:05d}", pool=name, engine="local", type=name, accelerators=8)


def _topup(tenant: Tenant, at_ms: int) -> Transfer:
    return Transfer(
        id=f"trf-topup-{tenant.name}:first",
        kind=TransferKind.TOPUP,
        debit=account_id(AccountKind.CASH, "CNY"),
        credit=account_id(AccountKind.PREPAID, "CNY", tenant.name),
        amount_micros=10**15,
        currency="CNY",
        at_ms=at_ms,
        cause="first",
    )


def _openings(month: Month, topups: list[Transfer]) -> Iterator[Event]:
    """What the log says of the month's beginning: the nodes, and every tenant with its first credit."""
    from_ms, _ = month_bounds(month.month)
    for lane in range(month.lanes):
        node = _node(month, lane)
        about = {"type": node.type, "accelerators": 8, "rehearsal": False, "state": "up", "pool": node.pool}
        yield Event(kind=EventKind.NODE_REGISTERED, at_ms=from_ms, node=node.name, data=about)
    for tenant, topup in zip(tenants_of(month), topups, strict=True):
        yield Event(kind=EventKind.TENANT_CREATED, at_ms=from_ms, tenant=tenant.name, data={"currency": "CNY"})
        added = {"amount_micros": topup.amount_micros, "currency": "CNY", "transfer": topup.id}
        yield Event(kind=EventKind.CREDIT_ADDED, at_ms=from_ms, tenant=tenant.name, data=added)


def _store_runs(connection: Connection, held: list[Allocation]) -> None:
    """Jobs, allocations and events as they lie in the store when all of it is over, in the order it happened."""
    _insert(connection, jobs, [_job_row(item) for item in held])
    _insert(connection, allocations, [allocation_row(item) for item in held])
    told = sorted((event for item in held for event in _events(item)), key=lambda event: event.at_ms)
    _insert(connection, events, [event_row(event) for event in told])


def _insert(connection: Connection, table: Table, rows: list[dict[str, object]]) -> None:
    insert_many(connection, table, list(rows[0]), [tuple(row.values()) for row in rows])


def _job_row(item: Allocation) -> dict[str, object]:
    indexes = len(item.slots[0].indexes)
    spec = JobSpec(
        name="month",
        command=("true",),
        workdir=f"/srv/{item.tenant}",
        types=(item.type,),
        gang=Gang(accelerators_per_node=indexes),
        tier=item.tier,
    )
    job = Job(
        id=item.job,
        seq=0,
        tenant=item.tenant,
        project=item.project,
        user="month",
        spec=spec,
        state=JobState.SUCCEEDED,
        submitted_ms=item.placed_ms,
        attempt=1,
        ended_ms=item.ended_ms,
        exit_code=0,
    )
    return {**job_row(job), "submission_key": None, "request_hash": ""}


def _events(item: Allocation) -> Iterator[Event]:
    slots = [{"node": slot.node, "indexes": list(slot.indexes)} for slot in item.slots]
    terms = {
        "slots": slots,
        "type": item.type,
        "rehearsal": False,
        "borrowed": False,
        "price_book": item.price_book,
        "price_micros": item.price_micros,
        "currency": item.currency,
    }
    end = {
        "end_kind": "succeeded",
        "exit_code": 0,
        "started_ms": item.started_ms,
        "engine_started_ms": item.started_ms,
        "engine_ended_ms": item.ended_ms,
        "heard_ms": item.ended_ms,
    }
    begin = {"engine_started_ms": item.started_ms, "heard_ms": item.started_ms}
    steps: list[tuple[EventKind, int | None, str | None, str, dict[str, object]]] = [
        (EventKind.JOB_SUBMITTED, item.placed_ms, None, "queued", {}),
        (EventKind.JOB_PLACED, item.placed_ms, "queued", "starting", terms),
        (EventKind.JOB_STARTED, item.started_ms, "starting", "running", begin),
        (EventKind.JOB_ENDED, item.ended_ms, "running", "succeeded", end),
    ]
    for kind, at_ms, before, after, data in steps:
        submitted = kind is EventKind.JOB_SUBMITTED
        told = {"before": before, "after": after, "cause": "", "attempt": 0 if submitted else 1}
        yield Event(
            kind=kind,
            at_ms=at_ms or 0,
            tenant=item.tenant,
            job=item.job,
            allocation=None if submitted else item.id,
            data={**told, **data},
        )


def _driver(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    month = Month(records=options.records, tenants=options.tenants, days=options.days, seed=options.seed)
    posted = fill(options.url, month)
    print(
        f"{posted.records:,} usage records of {options.tenants} tenants posted in {posted.seconds:.1f} s",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
