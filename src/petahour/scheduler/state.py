"""State: what a scheduling pass may know, as indexes kept at the cost of what changed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from petahour.model.errors import InvariantError
from petahour.model.jobs import Tier
from petahour.model.resources import Node
from petahour.model.tenants import Quota
from petahour.model.time import HOUR_MS
from petahour.scheduler.ask import Asks, Running, Waiting
from petahour.scheduler.expect import Expectation
from petahour.scheduler.forecast import End, Forecast
from petahour.scheduler.funds import Money
from petahour.scheduler.gates import Gates
from petahour.scheduler.lines import Lines
from petahour.scheduler.plan import Hold
from petahour.scheduler.policy import Policy
from petahour.scheduler.promises import Promises
from petahour.scheduler.room import Room
from petahour.scheduler.service import Service

if TYPE_CHECKING:
    from petahour.scheduler.reserve import Reservation
    from petahour.scheduler.turns import Turns


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What preemption may not do: stop a run younger than ``min_run_ms``, or one job too often.

    A job may be stopped ``max_preemptions`` times, and ``per_hour`` times more for each hour since its submission.
    """

    min_run_ms: int = 0
    max_preemptions: int = 10
    per_hour: float = 0.0

    def allow(self, job: Waiting, ran_ms: int, now_ms: int) -> bool:
        """Whether the job, in a run so old, may be stopped now."""
        if ran_ms < self.min_run_ms:
            return False
        return job.preemptions < self.max_preemptions + self.per_hour * (now_ms - job.submitted_ms) / HOUR_MS


class State:
    """The present, under one policy. The owner tells it every change; a pass reads it and leaves it as it was.

    ``money`` None: nothing is sold, as in a replay of a trace without prices.
    """

    def __init__(
        self,
        policy: Policy,
        nodes: Iterable[Node],
        *,
        quotas: Mapping[tuple[str, str], Quota] | None = None,
        money: Money | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.policy = policy
        self.quotas = quotas if quotas is not None else {}
        self.money = money
        self.bounds = bounds or Bounds()
        self.expectation = Expectation()
        self.forecast = Forecast(self.expectation)
        self.turns: Turns | None = None
        self.reserved: Reservation | None = None
        self.service = Service()
        self.gates = Gates()
        self.promises = Promises()
        self.barred: dict[str, Hold] = {}  # queued jobs that the owner keeps out, with the reason
        self.asks = Asks()
        self.lines = Lines(
            partial(policy.line, self),
            partial(policy.rank, self),
            shared=policy.shared,
            kept=policy.keeps_ms > 0,
            dated=policy.patient,
        )
        if policy.keeps_ms:
            self.expectation.sweeps.watch()
        self.turning: dict[str, Waiting] = {}  # of those that wait who takes turns
        self.running: dict[str, Running] = {}
        self.yielding: dict[str, list[Running]] = {}
        self.used: dict[tuple[str, str], int] = {}
        self.ends: dict[int, list[End]] = {}
        self.spot: dict[int, dict[str, Running]] = {}
        self.lent: dict[int, dict[str, Running]] = {}
        self.put_nodes(nodes)

    # -- the fleet -----------------------------------------------------------------------------------------------

    def put_nodes(self, nodes: Iterable[Node]) -> None:
        """The fleet is this now; what runs keeps its accelerators."""
        self.nodes = tuple(nodes)
        before = getattr(self, "room", None)
        self.room = Room(self.nodes)
        self.reserved = None
        if before is None:
            return
        runs, self.running, self.ends, self.yielding = self.running, {}, {}, {}
        self.forecast = Forecast(self.expectation)
        self.spot, self.lent = {}, {}
        for running in runs.values():
            slots = before.pools[running.pool].slots(running.grants)
            pool = self.room.find(slots[0].node)
            if pool is None:
                raise InvariantError(rule="a node that is held stays in the fleet", value=slots[0].node)
            grants = pool.grants(slots)
            pool.take(grants)
            moved = running._replace(pool=pool.index, grants=grants)
            self._index(moved)
            if self.policy.predicts:
                self.forecast.began(moved, moved.placed_ms)

    # -- jobs ----------------------------------------------------------------------------------------------------

    def enqueue(self, job: Waiting) -> Waiting:
        """The job waits; as returned, with the sweep that it belongs to."""
        if job.sweep is None:
            sweep = self.expectation.sweeps.join(job.ask, job.submitted_ms)
            job = job._replace(sweep=sweep, place=sweep.size)
        self.lines.add(job)
        if self.takes_turns(job):
            self.turning[job.id] = job
        return job

    def dequeue(self, job_id: str) -> Waiting | None:
        """The job no longer waits; None when it did not."""
        self.turning.pop(job_id, None)
        return self.lines.drop(job_id)

    def takes_turns(self, job: Waiting) -> bool:
        """Whether the policy has the job share time by turns: see ``Rounds``."""
        rounds = self.policy.rounds
        return rounds is not None and rounds.take(job)

    def start(self, running: Running, now_ms: int) -> None:
        """An allocation holds its accelerators from now on. Raises InvariantError where one is held already."""
        self.room.pools[running.pool].take(running.grants)
        self._index(running)
        self._use(running, running.accelerators, now_ms)
        self.expectation.began(running)
        if self.policy.predicts:
            self.forecast.began(running, now_ms)

    def release(self, running_id: str, now_ms: int) -> Running | None:
        """The allocation ended; None when it held nothing."""
        running = self.running.pop(running_id, None)
        if running is None:
            return None
        self.room.pools[running.pool].give(running.grants)
        if (found := self.spot.get(running.pool)) is not None:
            found.pop(running_id, None)
        if (found := self.lent.get(running.pool)) is not None:
            found.pop(running_id, None)
        if running.ends_ms is not None:
            ends = self.ends[running.pool]
            del ends[bisect_left(ends, (running.ends_ms, running_id))]
        self._use(running, -running.accelerators, now_ms)
        self.expectation.left(running)
        if self.policy.predicts:
            self.forecast.left(running)
        if running.stop_for:
            rest = [item for item in self.yielding[running.stop_for] if item.id != running_id]
            if rest:
                self.yielding[running.stop_for] = rest
            else:
                del self.yielding[running.stop_for]
        return running

    def upcoming(self, pool: int, now_ms: int) -> Sequence[End]:
        """(instant, run) in the order in which the pool's runs will have ended: expected, or by walltime."""
        return self.forecast.ends(pool, now_ms) if self.policy.predicts else self.ends.get(pool, ())

    def end_ms(self, job: Waiting, now_ms: int) -> int | None:
        """When the job will have ended if it starts now: expected, or by walltime; None: unknown."""
        if self.policy.predicts:
            return self.forecast.end_ms(job, now_ms)
        return None if job.walltime_ms is None else now_ms + job.walltime_ms

    def may_yield(self) -> bool:
        """Whether anything runs that a stronger claim could stop."""
        return any(self.spot.values()) or ((bool(self.quotas) or self.promises.some) and any(self.lent.values()))

    def _index(self, running: Running) -> None:
        self.running[running.id] = running
        if running.ends_ms is not None:
            insort(self.ends.setdefault(running.pool, []), (running.ends_ms, running.id))
        if not running.stopping:
            if running.job.ask.tier is Tier.SPOT:
                self.spot.setdefault(running.pool, {})[running.id] = running
            elif running.borrowed or running.reservation:
                # Whoever lies on seats has no claim to them once the reservation is over; till then nobody sees them.
                self.lent.setdefault(running.pool, {})[running.id] = running
        if running.stop_for:
            self.yielding.setdefault(running.stop_for, []).append(running)

    def _use(self, running: Running, accelerators: int, now_ms: int) -> None:
        if running.reservation:
            return  # It is paid for by itself, and no part of a quota.
        tenant = running.job.ask.tenant
        share = (tenant, running.type)
        self.used[share] = self.used.get(share, 0) + accelerators
        self.service.change(tenant, accelerators, now_ms)
