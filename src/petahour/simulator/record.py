"""Record: what a replay does, kept in plain columns as it happens."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petahour.model.promises import Reservation
from petahour.model.resources import Node
from petahour.scheduler.ask import Running
from petahour.scheduler.state import State
from petahour.simulator.faults import Change
from petahour.simulator.result import NEVER, Jobs, Outage, Outcome, Placements, Result, Runs
from petahour.simulator.trace import Trace

if TYPE_CHECKING:
    from petahour.simulator.money.posted import Posted
    from petahour.simulator.replay import Replay

_RUN = ("job", "start", "end", "accelerators", "type", "outcome", "first", "seated")
_PLACED = ("run", "node", "accelerators")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recent:
    """What is known of the last hours while a replay goes on: see ``money.posted.Seen``."""

    runs: Runs
    placements: Placements
    types: tuple[str, ...]
    nodes: Sequence[Node]
    outages: Sequence[Outage]


class Recorder:
    """Columns that grow. Nodes are numbered pool after pool, as the room numbers them."""

    def __init__(self, trace: Trace, state: State, reservations: Iterable[Reservation] = ()) -> None:
        self._reserved_until_ms = {one.id: one.to_ms for one in reservations}
        count, self._count = len(trace.jobs), 0  # jobs, and runs that ended
        self._trace, self._state = trace, state
        self._start_ms, self._end_ms = [NEVER] * count, [NEVER] * count
        self._ran_ms, self._lost_ms = [0] * count, [0] * count
        self._preemptions = [0] * count
        self._impossible: list[int] = []
        self._capacity = [(0, sum(node.accelerators for node in state.nodes))]
        self._types = tuple(state.room.by_type)
        self._type_number = {name: number for number, name in enumerate(self._types)}
        self._first_node, nodes = [], 0
        for pool in state.room.pools:
            self._first_node.append(nodes)
            nodes += len(pool.names)
        by_name = {node.name: node for node in state.nodes}
        self._nodes = [by_name[name] for pool in state.room.pools for name in pool.names]
        self._recent = 0  # the first of the runs that ended lately
        self._runs = array("q")  # row after row of _RUN
        self._outages: list[Outage] = []
        self._out: dict[tuple[int, ...], int] = {}
        self._placed = array("q")  # row after row of _PLACED

    def impossible(self, job: int) -> None:
        """The job could run on no state of the fleet."""
        self._impossible.append(job)

    def capacity(self, now_ms: int, change: int) -> None:
        """So many accelerators more are in service, or fewer when negative."""
        if change:
            self._capacity.append((now_ms, self._capacity[-1][1] + change))

    def out(self, change: Change) -> None:
        """Something goes out of service or is back."""
        key = (change.pool, change.node, change.accelerator, change.cause, change.plan)
        if change.begins:
            self._out[key] = len(self._outages)
            node = self._first_node[change.pool] + change.node
            self._outages.append(
                Outage(
                    node=node,
                    accelerator=change.accelerator,
                    cause=change.cause,
                    from_ms=change.at_ms,
                    until_ms=NEVER,
                )
            )
        else:
            place = self._out.pop(key)
            self._outages[place] = replace(self._outages[place], until_ms=change.at_ms)

    def started(self, job: int, now_ms: int) -> None:
        """A run begins."""
        if self._start_ms[job] == NEVER:
            self._start_ms[job] = now_ms

    def ended(self, job: int, running: Running, now_ms: int, outcome: Outcome, *, lost_ms: int = 0) -> None:
        """A run ends."""
        self._ran_ms[job] += now_ms - running.placed_ms
        if lost_ms:
            self._lost_ms[job] += lost_ms
        if outcome is Outcome.FINISHED:
            self._end_ms[job] = now_ms
        elif outcome is Outcome.PREEMPTED:
            self._preemptions[job] += 1
        number, kind, first = self._count, self._type_number[running.type], len(self._placed) // len(_PLACED)
        self._count += 1
        seated = NEVER
        if running.reservation:
            seated = min(self._reserved_until_ms[name] for name in running.reservation.split("+"))
        self._runs.extend((job, running.placed_ms, now_ms, running.accelerators, kind, outcome, first, seated))
        first_node = self._first_node[running.pool]
        for node, mask in running.grants:
            self._placed.extend((number, first_node + node, mask.bit_count()))

    def since(self, from_ms: int, now_ms: int) -> Recent:
        """What ran after an instant, what runs now with the present as its end, and all that was out of service."""
        width, recent = len(_RUN), self._recent
        while recent < self._count and self._runs[recent * width + _RUN.index("end")] <= from_ms:
            recent += 1
        self._recent = recent
        first = self._runs[recent * width + _RUN.index("first")] if recent < self._count else len(self._placed) // 3
        rows, placed = self._runs[recent * width :], self._placed[first * len(_PLACED) :]
        number = self._count
        for running in self._state.running.values():
            kind, at = self._type_number[running.type], len(placed) // len(_PLACED)
            rows.extend((0, running.placed_ms, now_ms, running.accelerators, kind, Outcome.CUT, at, NEVER))
            first_node = self._first_node[running.pool]
            for node, mask in running.grants:
                placed.extend((number, first_node + node, mask.bit_count()))
            number += 1
        placements = _placements(placed)
        return Recent(
            runs=_run_columns(rows),
            placements=replace(placements, run=placements.run - recent),
            types=self._types,
            nodes=self._nodes,
            outages=self._outages,
        )

    def result(self, how: Replay, wall_s: float, posted: Posted | None = None) -> Result:
        """All of it as arrays."""
        return Result(
            policy=how.policy.name,
            seed=how.seed,
            trace=self._trace,
            nodes=self._nodes,
            types=self._types,
            jobs=Jobs(
                start_ms=np.array(self._start_ms, np.int64),
                end_ms=np.array(self._end_ms, np.int64),
                ran_ms=np.array(self._ran_ms, np.int64),
                lost_ms=np.array(self._lost_ms, np.int64),
                preemptions=np.array(self._preemptions, np.int32),
            ),
            runs=_run_columns(self._runs),
            placements=_placements(self._placed),
            impossible=np.array(self._impossible, np.int64),
            capacity=tuple(self._capacity),
            wall_s=wall_s,
            outages=tuple(self._outages),
            preemptible=how.preemptible,
            reservations=tuple(how.reservations),
            posted=posted,
        )


def _run_columns(rows: array[int]) -> Runs:
    runs = _columns(rows, _RUN)
    return Runs(
        job=runs["job"],
        start_ms=runs["start"],
        end_ms=runs["end"],
        accelerators=runs["accelerators"].astype(np.int32),
        type=runs["type"].astype(np.int32),
        outcome=runs["outcome"].astype(np.int8),
        first_placement=runs["first"],
        seated_until_ms=runs["seated"],
    )


def _placements(rows: array[int]) -> Placements:
    placed = _columns(rows, _PLACED)
    return Placements(
        run=placed["run"],
        node=placed["node"].astype(np.int32),
        accelerators=placed["accelerators"].astype(np.int32),
    )


def _columns(rows: array[int], names: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """Rows that were kept one after another, as a column each."""
    table = np.frombuffer(rows, np.int64).reshape(-1, len(names))
    return {name: np.ascontiguousarray(table[:, place]) for place, name in enumerate(names)}
