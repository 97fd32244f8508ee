"""Gangs: how many nodes a trace's job takes, as few as hold it, full ones and a rest."""

from __future__ import annotations

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.scheduler.ask import Ask
from petahour.scheduler.state import State
from petahour.simulator.trace import TraceJob


class Gangs:
    """The asks of a trace's jobs on one fleet. ``preemptible``: every job is spot work."""

    def __init__(self, state: State, *, preemptible: bool) -> None:
        self._state, self._preemptible = state, preemptible
        self._asks = state.asks
        self._known: dict[tuple[object, ...], Ask | None] = {}

    def of(self, job: TraceJob) -> Ask | None:
        """The job's ask; None when no state of the fleet could run it."""
        tier = Tier.SPOT if self._preemptible else job.tier
        key = (job.tenant, tier, job.priority, job.types, job.accelerators, job.speeds, job.limit_micros)
        if key not in self._known:
            self._known[key] = self._make(job, tier)
        return self._known[key]

    def _make(self, job: TraceJob, tier: Tier) -> Ask | None:
        room = self._state.room
        types = [name for name in (job.types or tuple(room.by_type)) if name in room.by_type]
        for name in types:
            width = max(pool.width for pool in room.by_type[name])
            full, rest = divmod(job.accelerators, width)
            if not full:
                gang, rest = Gang(nodes=1, accelerators_per_node=rest), 0
            else:
                gang = Gang(nodes=full, accelerators_per_node=width)
            if any(pool.could_hold(gang, rest) for pool in room.by_type[name]):
                speeds = dict(zip(job.types, job.speeds, strict=True)) if job.speeds else {}
                return self._asks.of(
                    tenant=job.tenant,
                    tier=tier,
                    types=tuple(types),
                    gang=gang,
                    priority=job.priority,
                    rest=rest,
                    speeds=tuple(speeds[item] for item in types) if speeds else (),
                    limit_micros=job.limit_micros,
                )
        return None
