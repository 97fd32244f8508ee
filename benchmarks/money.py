"""Usage rated and posted a second in durable transactions, and the proof of a ledger of a month.

    python benchmarks/money.py [--postgres] [--records 200000] [--prove] [--tenants 500]

`--postgres` starts a throw-away PostgreSQL on this host that syncs every commit to disk, and posts the same month to
another of its databases first: a server that has been in use writes the files of its log again instead of making new
ones. Figures are of one process and its database: per second on the wall, and per second of processor time of this
process and of the database's. Only the transactions are counted, not what the made-up month needs to say who runs in
which hour.

The month's close, its proof and an invoice as PDF are measured by `close_month.py`.

Baseline: the same records as bare rows of one table without constraints, in transactions of the same size.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, make_url

from money_month import TRANSACTION, Month, fill, post_month, prepare
from petahour.control.proof import prove
from petahour.store.sql.bulk import insert_many
from petahour.store.sql.store import open_store, sqlite_url
from report import Figure, show


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds on the wall, and of processor time of this process and of the database's."""

    wall: float
    own: float
    server: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=3, help="31 with 2,000,000 records for a whole month")
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--prove", action="store_true", help="prove the ledger too")
    options = parser.parse_args()
    month = Month(records=options.records, tenants=options.tenants, days=options.days)
    with tempfile.TemporaryDirectory(prefix="petahour-money-") as folder:
        if not options.postgres:
            return measure(sqlite_url(Path(folder) / "petahour.db"), month, "SQLite", lambda: 0.0, options.prove)
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "integration"))
        from postgres import PostgresServer

        server = PostgresServer(fsync=True)
        try:
            server.start()
            use(server.new_database(), month)
            return measure(server.new_database(), month, "PostgreSQL", served_s, options.prove)
        finally:
            server.close()


def use(url: str, month: Month) -> None:
    """Post the month to a database of its own, and begin the server's log anew."""
    fill(url, month)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


_served: dict[int, float] = {}


def served_s() -> float:
    """Processor seconds of the database's processes, which are below this one; of ended ones as last seen."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            _served[process.pid] = times.user + times.system
    return sum(_served.values())


def measure(url: str, month: Month, database: str, server_s: Callable[[], float], proving: bool) -> int:
    store = open_store(url)
    held = prepare(url, store, month)
    before_s = server_s()
    done = post_month(store, held, month)
    count = done.records
    posted = Took(wall=done.seconds, own=done.cpu_s, server=server_s() - before_s)
    bare = timed(lambda: bare_rows(url, count), server_s)
    target = 20_000 if database == "PostgreSQL" else 10_000
    name = "bare rows of one table"
    figures = [
        Figure(
            name="usage records rated and posted", value=count / posted.wall, unit="per s", baseline_name=name,
            baseline=count / bare.wall, target=f">= {target:,}/s", ok=count / posted.wall >= target,
        ),
        Figure(
            name="a second of this process's processor", value=count / posted.own, unit="per s", baseline_name=name,
            baseline=count / bare.own,
        ),
    ]  # fmt: skip
    if posted.server:
        figures.append(
            Figure(
                name="a second of the server's processor", value=count / posted.server, unit="per s",
                baseline_name=name, baseline=count / bare.server,
            )
        )  # fmt: skip
    if proving:
        proven = timed(lambda: require(prove(store).ok), server_s)
        figures.append(
            Figure(
                name=f"ledger proven, {count:,} records", value=proven.wall, unit="s",
                baseline_name="posting them", baseline=posted.wall, target="< 60 s for 2,000,000",
                ok=proven.wall < 60 * max(1.0, count / 2_000_000),
            )
        )  # fmt: skip
    store.close()
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return show(f"Money on {database}, {count:,} usage records, {memory_mb:,.0f} MB at most", figures)


def require(proven: bool) -> None:
    if not proven:
        raise SystemExit("the ledger is not proven")


def timed(work: Callable[[], None], server_s: Callable[[], float]) -> Took:
    wall, own, server = time.perf_counter(), time.process_time(), server_s()
    work()
    return Took(wall=time.perf_counter() - wall, own=time.process_time() - own, server=server_s() - server)


def bare_rows(url: str, count: int) -> None:
    """As many rows as records, into a table without an index, in durable transactions of the same size."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    table = Table("bare", MetaData(), Column("id", Integer), Column("text", String(200)))
    engine: Any = create_engine(parsed)
    with engine.begin() as connection:
        table.create(connection)
    for first in range(0, count, TRANSACTION):
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA synchronous=FULL")
            rows = [(number, "x" * 200) for number in range(first, min(count, first + TRANSACTION))]
            insert_many(connection, table, ("id", "text"), rows)
    engine.dispose()


if __name__ == "__main__":
    raise SystemExit(main())
