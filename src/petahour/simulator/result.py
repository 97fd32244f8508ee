"""Results: what a replay did with every job of a trace, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petahour.model.promises import Reservation
from petahour.model.resources import Node
from petahour.simulator.faults import Cause
from petahour.simulator.trace import Trace

if TYPE_CHECKING:
    from petahour.simulator.money.posted import Posted

NEVER = -1  # the instant of what did not happen


class Outcome(IntEnum):
    """How one run of a job ended."""

    FINISHED = 0
    PREEMPTED = 1
    FAILED = 2  # its node or accelerator failed
    CUT = 3  # it still ran when the replay ended
    DRAINED = 4  # told to stop for a maintenance window: it saved its work
    PRICED_OUT = 5  # told to stop before a price above its limit: it saved its work


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """One entry per job, aligned with ``trace.jobs``. Instants in ms, ``NEVER`` where there was none.

    ``start_ms`` is the first run's start, ``end_ms`` the end of the last run of a job that finished. ``ran_ms`` is
    the time spent running, restarts and repeated work included; ``lost_ms`` the part of it that bore no fruit.
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    ran_ms: NDArray[np.int64]
    lost_ms: NDArray[np.int64]
    preemptions: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """One entry per run (an attempt of a job on named nodes), in order of their ends.

    ``type`` indexes ``Result.types``. Several placements belong to a run: ``first_placement`` is its first row
    there, the next run's its end. ``seated_until_ms``: when the first of the reservations ends on whose seats it
    lies, ``NEVER`` where it lies on none.
    """

    job: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    accelerators: NDArray[np.int32]
    type: NDArray[np.int32]
    outcome: NDArray[np.int8]
    first_placement: NDArray[np.int64]
    seated_until_ms: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placements:
    """Which node gave how many accelerators to which run. ``node`` indexes ``Result.nodes``."""

    run: NDArray[np.int64]
    node: NDArray[np.int32]
    accelerators: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """A node, or one ``accelerator`` of it, out of service; ``until_ms`` is ``NEVER`` where the replay ended before.

    ``node`` indexes ``Result.nodes``; ``accelerator`` is ``WHOLE`` where all of the node is meant.
    """

    node: int
    accelerator: int
    cause: Cause
    from_ms: int
    until_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One replay. ``impossible`` jobs (indexes into ``trace.jobs``) could not run on any state of this fleet.

    ``types`` are the names of the fleet's types. ``wall_s`` is the real time the replay took.
    ``capacity``: (instant ms, accelerators in service) steps, the first at the trace's beginning: of a drained node
    what is held, of a failed one nothing. ``outages``: what was out of service, by its beginning. ``preemptible``:
    every job was spot work. ``reservations``: what was promised, in the trace's time. ``posted``: the prices of
    spot that were posted while it went on, where anybody looked at them.
    """

    policy: str
    seed: int
    trace: Trace
    nodes: Sequence[Node]
    types: tuple[str, ...]
    jobs: Jobs
    runs: Runs
    placements: Placements
    impossible: NDArray[np.int64]
    capacity: Sequence[tuple[int, int]]
    wall_s: float
    outages: Sequence[Outage] = ()
    preemptible: bool = False
    reservations: Sequence[Reservation] = ()
    posted: Posted | None = None


def left_waiting(result: Result) -> list[int]:
    """Indexes of the jobs that could run on this fleet and never ended, whether they once ran or not."""
    waits = result.jobs.end_ms == NEVER
    waits[result.impossible] = False
    return [int(number) for number in np.flatnonzero(waits)]
