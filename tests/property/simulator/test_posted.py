"""Posted spot prices in replays: the occupancy and the prices of a reference that counts every minute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petahour.billing.spot import next_price
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.scheduler.policies import POLICIES
from petahour.simulator.drains import Drain
from petahour.simulator.faults import Faults
from petahour.simulator.fleet import PLAIN_TYPE, plain_nodes
from petahour.simulator.money import Prices, bill_of, read_prices
from petahour.simulator.money.posted import occupancy, posted_of
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.result import NEVER, Result
from petahour.simulator.trace import Trace, TraceJob

MINUTE_MS = 60_000
BOOK = f"""
[[price_book]]
id = "one"
currency = "CNY"
effective = 2026-03-02T00:00:00Z
[price_book.prices.{PLAIN_TYPE}]
on-demand = "10"
spot = "4"
[price_book.spot.{PLAIN_TYPE}]
floor = "1"
ceiling = "9"
step = "2"
target = "50"
"""
Row = tuple[int, int, int, bool]
ROWS = st.lists(
    st.tuples(st.integers(0, 300), st.integers(1, 200), st.integers(1, 8), st.booleans()), min_size=1, max_size=20
)


def prices(folder: Path) -> Prices:
    path = folder / "prices.toml"
    path.write_text(BOOK, "utf-8")
    return read_prices(path)


def run(rows: Sequence[Row], drains: Sequence[Drain] = ()) -> Result:
    """Everything happens at whole minutes."""
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant="a",
            submit_ms=submit * MINUTE_MS,
            duration_ms=length * MINUTE_MS,
            accelerators=accelerators,
            tier=Tier.SPOT if spot else Tier.ON_DEMAND,
        )
        for number, (submit, length, accelerators, spot) in enumerate(sorted(rows))
    ]
    how = Replay(
        policy=POLICIES["backfill"],
        nodes=plain_nodes(2, 4),
        costs=Costs(restart_ms=MINUTE_MS),
        faults=Faults(drains=drains) if drains else None,
    )
    return replay(Trace(name="drawn", jobs=jobs), how)


def by_minutes(result: Result, hours: int) -> tuple[list[int], list[int]]:
    """Held and capacity in accelerator-ms of each hour, a minute at a time."""
    held, capacity = [0] * hours, [0] * hours
    runs, placed = result.runs, result.placements
    for minute in range(hours * 60):
        at_ms, hour = minute * MINUTE_MS, minute // 60
        for node, item in enumerate(result.nodes):
            on = sum(
                int(placed.accelerators[place])
                for place in np.flatnonzero(placed.node == node)
                if runs.start_ms[placed.run[place]] <= at_ms < runs.end_ms[placed.run[place]]
            )
            shut = any(
                one.node == node and one.from_ms <= at_ms and (one.until_ms == NEVER or at_ms < one.until_ms)
                for one in result.outages
            )
            held[hour] += on * MINUTE_MS
            capacity[hour] += (on if shut else item.accelerators) * MINUTE_MS
    return held, capacity


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, begins=st.integers(0, 200), length=st.integers(1, 200), maintenance=st.booleans())
def test_prices_follow_the_occupancy_of_a_reference(
    tmp_path: Path, rows: list[Row], begins: int, length: int, maintenance: bool
) -> None:
    drain = Drain(
        nodes=("node-0",),
        from_ms=begins * MINUTE_MS,
        until_ms=(begins + length) * MINUTE_MS,
        maintenance=maintenance,
    )
    result, book = run(rows, [drain]), prices(tmp_path)
    rule = book.books[0].spot[PLAIN_TYPE]
    hours = int(result.runs.end_ms.max()) // HOUR_MS + 1
    held, capacity = occupancy(result, PLAIN_TYPE, np.arange(hours + 1) * HOUR_MS)
    assert (held.tolist(), capacity.tolist()) == by_minutes(result, hours)
    expected = [4_000_000, 4_000_000]
    for hour in range(2, hours):
        expected.append(
            next_price(rule, expected[-1], held_ams=int(held[hour - 2]), capacity_ams=int(capacity[hour - 2]))
        )
    assert posted_of(result, book).prices[PLAIN_TYPE] == expected[:hours]


def test_spot_pays_the_price_of_each_hour_and_the_others_their_own(tmp_path: Path) -> None:
    rows: list[Row] = [(0, 240, 8, True), (300, 60, 1, False)]
    bill = bill_of(run(rows), prices(tmp_path), restart_ms=MINUTE_MS)
    # A full fleet raises the price by a whole step an hour, from the third hour on.
    assert bill.posted.prices[PLAIN_TYPE][:4] == [4_000_000, 4_000_000, 6_000_000, 8_000_000]
    lines = {line.tier: line.revenue_micros for line in bill.lines}
    assert lines == {Tier.SPOT: 8 * (4 + 4 + 6 + 8) * 1_000_000, Tier.ON_DEMAND: 10_000_000}
    # It ends at the ceiling, and follows the empty hour two hours later.
    assert bill.posted.prices[PLAIN_TYPE][4:] == [9_000_000, 9_000_000, 7_000_000]
