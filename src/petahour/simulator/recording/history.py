"""History: the jobs of a recording as a trace, with their real arrivals and run times, for any policy to replay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from petahour.model.errors import ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import JobSpec, JobState
from petahour.model.money import format_micros
from petahour.model.promises import Reservation, ReservationState, reservation_from
from petahour.model.resources import Node, NodeState
from petahour.model.terms import spec_of
from petahour.simulator.readers.rows import TENANT, ReadOptions
from petahour.simulator.recording.file import read_recording
from petahour.simulator.reservations import Promised
from petahour.simulator.trace import Exclusion, Trace, TraceJob


@dataclass(kw_only=True, slots=True)
class _Life:
    """What the log says of one job."""

    line: int
    tenant: str
    submitted_ms: int
    spec: JobSpec
    ran_ms: int = 0
    placed_ms: int | None = None
    first_placed_ms: int | None = None
    ended_ms: int | None = None
    preemptions: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """What became of the jobs on the floor: over those that ran and ended."""

    jobs: int
    mean_completion_s: float
    mean_wait_s: float
    makespan_s: float
    preemptions: int


def trace_of(events: Iterable[Event], name: str = "recording") -> Trace:
    """Every submitted job, or an exclusion for it: one that never ran or has not ended has no run time to replay.

    A job's run time is that of all its runs where it goes on from checkpoints, else that of its last. Raises
    ValidationError where no job is left.
    """
    events = list(events)
    lives, nodes = _read(events)
    jobs: list[TraceJob] = []
    excluded: list[Exclusion] = []
    origin_ms = min((life.submitted_ms for life in lives.values()), default=0)
    for job, life in lives.items():
        if life.ended_ms is None:
            excluded.append(Exclusion(line=life.line, reason="the job had not ended"))
        elif life.first_placed_ms is None:
            excluded.append(Exclusion(line=life.line, reason="the job never ran"))
        else:
            spec = life.spec
            jobs.append(
                TraceJob(
                    row=len(jobs),
                    id=job,
                    tenant=life.tenant,
                    submit_ms=life.submitted_ms - origin_ms,
                    duration_ms=life.ran_ms,
                    accelerators=spec.gang.accelerators,
                    name=spec.name,
                    types=spec.types,
                    tier=spec.tier,
                    priority=spec.priority,
                    walltime_ms=spec.walltime_ms,
                    limit_micros=spec.limit_micros,
                )
            )
    if not jobs:
        raise ValidationError(
            field=name, value=len(lives), rule="holds no job that ran and ended", remedy="Record for longer."
        )
    jobs.sort(key=lambda job: job.submit_ms)
    reservations = _promised(events, origin_ms)
    return Trace(name=name, jobs=jobs, excluded=excluded, nodes=nodes, reservations=reservations)


def read_history(path: Path, options: ReadOptions) -> Trace:
    """The trace in a recording's file. Strictly read, a job that cannot be replayed raises ValidationError."""
    trace = trace_of(read_recording(path).events, name=Path(path.name.removesuffix(".gz")).stem)
    if options.strict and trace.excluded:
        first = trace.excluded[0]
        raise ValidationError(
            field=f"{path}, line {first.line}",
            value=None,
            rule=first.reason,
            remedy="Read without strictness: it is then left out, counted and reported.",
        )
    if options.single_vc:
        return replace(trace, jobs=[replace(job, tenant=TENANT) for job in trace.jobs])
    return trace


def as_it_was(events: Iterable[Event]) -> Floor:
    """The figures of the floor itself, for the jobs that ``trace_of`` takes."""
    lives, _ = _read(events)
    ran = [life for life in lives.values() if life.ended_ms is not None and life.first_placed_ms is not None]
    count = max(1, len(ran))
    completions = [(life.ended_ms or 0) - life.submitted_ms for life in ran]
    waits = [(life.first_placed_ms or 0) - life.submitted_ms for life in ran]
    first_ms = min((life.submitted_ms for life in ran), default=0)
    return Floor(
        jobs=len(ran),
        mean_completion_s=sum(completions) / count / 1000,
        mean_wait_s=sum(waits) / count / 1000,
        makespan_s=(max((life.ended_ms or 0 for life in ran), default=0) - first_ms) / 1000,
        preemptions=sum(life.preemptions for life in ran),
    )


def _promised(events: Iterable[Event], origin_ms: int) -> list[Promised]:
    """What was confirmed, in the trace's time and as it was in the end: one that was ended early ends there."""
    confirmed: dict[str, Reservation] = {}
    for event in events:
        if event.kind is EventKind.RESERVATION_SET:
            data: Any = event.data["reservation"]
            one = reservation_from(data)
            if one.state is ReservationState.CONFIRMED or one.id in confirmed:
                confirmed[one.id] = one
    return [
        Promised(
            tenant=one.tenant,
            type=one.type,
            nodes=one.nodes,
            per_node=one.per_node,
            from_ms=max(0, one.from_ms - origin_ms),
            until_ms=one.to_ms - origin_ms,
            lends=one.lends,
            price=format_micros(one.price_micros, one.currency).replace(",", ""),
            named=f"reservation {one.id}",
        )
        for one in confirmed.values()
        if one.to_ms > max(origin_ms, one.from_ms)
    ]


def _read(events: Iterable[Event]) -> tuple[dict[str, _Life], list[Node]]:
    lives: dict[str, _Life] = {}
    nodes: dict[str, Node] = {}
    for line, event in enumerate(events, start=2):
        data: Mapping[str, Any] = event.data
        if event.kind is EventKind.NODE_REGISTERED and event.node is not None:
            nodes[event.node] = _node_of(event.node, data)
        elif event.kind is EventKind.JOB_SUBMITTED and event.job is not None:
            lives[event.job] = _Life(
                line=line, tenant=event.tenant or "", submitted_ms=event.at_ms, spec=spec_of(data["terms"])
            )
        elif event.job in lives:
            _live(lives[event.job], event, data)
    return lives, [nodes[name] for name in sorted(nodes)]


def _live(life: _Life, event: Event, data: Mapping[str, Any]) -> None:
    if event.kind is EventKind.JOB_PLACED:
        life.placed_ms = event.at_ms
        life.first_placed_ms = event.at_ms if life.first_placed_ms is None else life.first_placed_ms
    elif event.kind is EventKind.JOB_ENDED:
        ran_ms = event.at_ms - (data.get("started_ms") or event.at_ms)
        life.ran_ms = life.ran_ms + ran_ms if life.spec.checkpoint_dir is not None else ran_ms
        life.preemptions += data["after"] == JobState.PREEMPTED
    if event.kind in (EventKind.JOB_ENDED, EventKind.JOB_STATE) and JobState(data["after"]).final:
        life.ended_ms = event.at_ms


def _node_of(name: str, data: Mapping[str, Any]) -> Node:
    """A node that takes work: drains were made by hand, and are not part of what another policy would have had."""
    return Node(
        name=name,
        pool=data["pool"],
        engine=data["engine"],
        type=data["type"],
        accelerators=data["accelerators"],
        switch=data["switch"],
        rehearsal=data["rehearsal"],
        state=NodeState.UP,
    )
