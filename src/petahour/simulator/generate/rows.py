"""Rows: columns of jobs become a trace's jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petahour.model.collector import CollectorPaused
from petahour.model.jobs import Tier
from petahour.model.time import SECOND_MS
from petahour.simulator.generate.draw import Ints
from petahour.simulator.generate.tasks import TaskTable
from petahour.simulator.trace import TraceJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The types that a task accepts and their speeds, as a trace's job has them."""

    types: tuple[str, ...] = ()
    speeds: tuple[float, ...] = ()
    tier: Tier = Tier.ON_DEMAND


def jobs_by_submit(
    tasks: TaskTable, choices: Sequence[Choice], *, task: Ints, submit_s: Ints, duration_s: Ints, walltime_s: Ints
) -> list[TraceJob]:
    """Jobs by submit time. ``choices`` is per task, the columns per job; a ``walltime_s`` of 0 is none declared."""
    order = np.argsort(submit_s, kind="stable")
    numbers = task[order].tolist()
    times_ms = [(column[order] * SECOND_MS).tolist() for column in (submit_s, duration_s, walltime_s)]
    tenants = [f"tenant-{number + 1:03}" for number in tasks.tenant.tolist()]
    names = [f"task-{number + 1:04}" for number in tasks.number.tolist()]
    gangs = tasks.gang.tolist()
    digits = len(str(len(numbers)))
    with CollectorPaused():
        return [
            TraceJob(
                row=row,
                id=f"job-{row + 1:0{digits}}",
                tenant=tenants[number],
                submit_ms=submit_ms,
                duration_ms=duration_ms,
                accelerators=gangs[number],
                name=names[number],
                types=choices[number].types,
                speeds=choices[number].speeds,
                tier=choices[number].tier,
                walltime_ms=walltime_ms or None,
            )
            for row, (number, submit_ms, duration_ms, walltime_ms) in enumerate(zip(numbers, *times_ms, strict=True))
        ]
