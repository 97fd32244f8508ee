"""Strict FIFO and SJF, job by job, against a reference of a few lines that shares no code with the scheduler."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.resources import Node
from petahour.scheduler.policies import FIFO, SJF
from petahour.scheduler.policy import Policy
from petahour.simulator.replay import Replay, replay
from petahour.simulator.trace import Trace, TraceJob

Row = tuple[int, int, int]  # submit, duration, accelerators


def reference(rows: list[Row], nodes: int, width: int, key: Callable[[int], object]) -> list[tuple[int, int]]:
    """(start, end) per row: ends before arrivals, nobody overtakes the first in order, whole nodes and a rest."""
    free, queue, running = [width] * nodes, [], []
    times: list[tuple[int, int]] = [(-1, -1)] * len(rows)
    pending = [number for number, row in enumerate(rows) if -(-row[2] // width) <= nodes]
    while pending or queue or running:
        now = min([end for end, _, _ in running] + [rows[number][0] for number in pending[:1]])
        for run in [run for run in running if run[0] == now]:
            running.remove(run)
            for node, count in run[2]:
                free[node] += count
        while pending and rows[pending[0]][0] == now:
            queue.append(pending.pop(0))
        queue.sort(key=lambda number: (key(number), number))
        while queue:
            number, parts = queue[0], []
            full, rest = divmod(rows[queue[0]][2], width)
            empty = [node for node in range(nodes) if free[node] == width]
            if len(empty) < full:
                break
            parts = [(node, width) for node in empty[:full]]
            if rest:
                fitting = [
                    (free[node], node) for node in range(nodes) if free[node] >= rest and node not in empty[:full]
                ]
                if not fitting:
                    break
                parts.append((min(fitting)[1], rest))
            for node, count in parts:
                free[node] -= count
            running.append((now + rows[number][1], number, parts))
            times[number] = (now, now + rows[number][1])
            queue.pop(0)
    return times


ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=60)


def replayed(rows: list[Row], nodes: int, width: int, policy: Policy) -> list[tuple[int, int]]:
    jobs = [
        TraceJob(row=number, id=str(number), tenant="t", submit_ms=row[0], duration_ms=row[1], accelerators=row[2])
        for number, row in enumerate(rows)
    ]
    fleet = [
        Node(name=f"n{number:03}", pool="p", engine="simulated", type="x", accelerators=width)
        for number in range(nodes)
    ]
    result = replay(Trace(name="random", jobs=jobs), Replay(policy=policy, nodes=fleet))
    return list(zip(result.jobs.start_ms.tolist(), result.jobs.end_ms.tolist(), strict=True))


@given(ROWS, st.integers(1, 6), st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_fifo_is_exact(rows: list[Row], nodes: int, width: int) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    assert replayed(rows, nodes, width, FIFO) == reference(rows, nodes, width, lambda number: 0)


@given(ROWS, st.integers(1, 6), st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_sjf_is_exact(rows: list[Row], nodes: int, width: int) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    assert replayed(rows, nodes, width, SJF) == reference(rows, nodes, width, lambda number: rows[number][1])
