"""A fleet's speeds for the jobs of a trace that brings none."""

from __future__ import annotations

from dataclasses import replace

from petahour.model.errors import ValidationError
from petahour.simulator.generate.fleet_file import Fleet
from petahour.simulator.trace import Trace, TraceJob

_Known = tuple[tuple[str, ...], tuple[float, ...]]


def with_speeds(trace: Trace, fleet: Fleet) -> Trace:
    """The trace, each job without speeds of its own given those of the types it accepts, relative to the first.

    A job that accepts any type accepts the fleet's, in the order of the file: its run time is on the first. A fleet
    without speeds changes nothing. Raises ValidationError when some types of the fleet have a speed and others none.
    """
    if not fleet.speeds:
        return trace
    present = tuple(dict.fromkeys(node.type for node in fleet.nodes))
    silent = [name for name in present if name not in fleet.speeds]
    if silent:
        raise ValidationError(
            field=f"speed of {silent[0]}",
            value=None,
            rule="every type of the fleet has a speed, or none has",
            remedy="Add the speed to one of its groups, or take out the others.",
        )
    known: dict[tuple[str, ...], _Known] = {}
    return replace(trace, jobs=[_with(job, present, fleet, known) for job in trace.jobs])


def _with(job: TraceJob, present: tuple[str, ...], fleet: Fleet, known: dict[tuple[str, ...], _Known]) -> TraceJob:
    if job.speeds:
        return job
    if job.types not in known:
        # What the fleet does not have is no choice, save the first: the job's run time is told on that one.
        types = tuple(name for name in job.types or present if name in fleet.speeds or name == job.types[0])
        first = fleet.speeds.get(types[0])
        speeds = tuple(fleet.speeds[name] / first for name in types) if first else ()
        known[job.types] = (types, speeds) if first else (job.types, ())
    types, speeds = known[job.types]
    return replace(job, types=types, speeds=speeds)
