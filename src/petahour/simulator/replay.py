"""Replay: an event heap that feeds a trace to the scheduler and jumps from event to event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from petahour.model.promises import Reservation
from petahour.model.resources import Node
from petahour.model.time import SECOND_MS
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.decide import decide
from petahour.scheduler.decisions import Start
from petahour.scheduler.policy import Policy
from petahour.scheduler.state import Bounds, State
from petahour.simulator.drains import windows_of
from petahour.simulator.faults import Cause, Change, FaultClock, Faults
from petahour.simulator.gangs import Gangs
from petahour.simulator.money.prices import Prices, PricesNow
from petahour.simulator.money.watch import Watch
from petahour.simulator.outages import OutOfService
from petahour.simulator.record import Recorder
from petahour.simulator.result import Outcome, Result
from petahour.simulator.trace import Trace, TraceJob

NO_MORE_MS = 2**62  # when those come that do not
BOUNDS = Bounds(per_hour=2.0)  # on preemption, as on the floor


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What the world takes: a resumed job spends ``restart_ms`` before it goes on from its last checkpoint.

    ``checkpoint_ms`` None: the signal to yield is answered by a checkpoint and nothing is repeated.
    """

    restart_ms: int = 62 * SECOND_MS
    checkpoint_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """How a trace is replayed. ``preemptible``: every job may be stopped for another, as spot work is.

    ``prices`` are for policies that choose by them, and for jobs with a limit on the price of spot; all else is
    replayed alike with and without. ``reservations`` have their seats, and windows in the trace's time.
    """

    policy: Policy
    nodes: Sequence[Node]
    preemptible: bool = False
    costs: Costs = field(default_factory=Costs)
    bounds: Bounds = BOUNDS
    faults: Faults | None = None
    prices: Prices | None = None
    reservations: Sequence[Reservation] = ()
    seed: int = 0


def replay(trace: Trace, how: Replay) -> Result:
    """Run the trace to its end. Deterministic for the trace and ``how``."""
    return _Run(trace, how).run()


class _Run:
    def __init__(self, trace: Trace, how: Replay) -> None:
        self._trace, self._how = trace, how
        self._state = State(how.policy, how.nodes, bounds=_bounds(how))
        self._asks = Gangs(self._state, preemptible=how.preemptible)
        self._record = Recorder(trace, self._state, how.reservations)
        self._prices: PricesNow | None = None
        self._watch: Watch | None = None
        limited = any(job.limit_micros is not None for job in trace.jobs)
        if how.prices is not None and (how.policy.priced or limited):
            self._watch = (
                self._watched(how.prices) if limited or any(book.spot for book in how.prices.books) else None
            )
            self._prices = PricesNow(how.prices, None if self._watch is None else self._watch.posted.at)
            self._state.money = how.prices.money({job.tenant for job in trace.jobs}, self._prices)
        self._left_ms = [float(job.duration_ms) for job in trace.jobs]
        self._ends: list[tuple[int, int, int]] = []  # (instant, job, attempt)
        self._attempts = [0] * len(trace.jobs)
        self._now_ms = 0
        self._faults = FaultClock(how.faults, self._state.room, how.seed) if how.faults is not None else None
        self._out = OutOfService(self._state)
        if how.faults is not None:
            for window in windows_of(how.faults.drains, how.nodes):
                self._state.promises.put_window(window)
        for reservation in how.reservations:
            self._state.promises.put_reservation(reservation)
        edges_ms = {at_ms for one in how.reservations for at_ms in (one.from_ms, one.to_ms)}
        self._edges_ms = sorted(edges_ms, reverse=True)  # when what is promised begins or ends
        self._turns: list[tuple[int, int, int]] = []  # as ends: when a run's claim next changes by itself
        self._least_claim = 0.0
        self._again_ms: int | None = None  # when turns are over that more than one job takes

    def run(self) -> Result:
        began_s = time.perf_counter()
        comes_ms = [*(job.submit_ms for job in self._trace.jobs), NO_MORE_MS]
        count, arrived = len(self._trace.jobs), 0
        ends, turns, faults, edges_ms = self._ends, self._turns, self._faults, self._edges_ms
        while True:
            # 1. The next instant at which something happens.
            now_ms = comes_ms[arrived]
            if ends and ends[0][0] < now_ms:
                now_ms = ends[0][0]
            if turns and turns[0][0] < now_ms:
                now_ms = turns[0][0]
            if self._again_ms is not None and self._again_ms < now_ms:
                now_ms = self._again_ms
            if faults is not None and (fault_ms := faults.next_ms()) is not None and fault_ms < now_ms:
                now_ms = fault_ms
            if edges_ms and edges_ms[-1] < now_ms:
                now_ms = edges_ms[-1]
            if self._watch is not None and self._watch.tick_ms < now_ms and not self._over(ends, arrived == count):
                now_ms = self._watch.tick_ms
            if now_ms == NO_MORE_MS:
                break
            self._now_ms = now_ms
            # 2. Ends free accelerators before arrivals of the same instant ask for them.
            due = self._again_ms == now_ms
            while ends and ends[0][0] == now_ms:
                _, number, attempt = heappop(ends)
                if self._attempts[number] == attempt:
                    self._end(number)
                    due = True
            while faults is not None and faults.next_ms() == now_ms:
                self._change(faults.pop())
                due = True
            while edges_ms and edges_ms[-1] == now_ms:
                edges_ms.pop()
                self._state.promises.forget(now_ms)
                due = True
            if self._watch is not None and self._watch.tick_ms == now_ms:
                self._post(self._watch)
                due = True
            while comes_ms[arrived] == now_ms:
                self._arrive(arrived)
                arrived += 1
                due = True
            while turns and turns[0][0] == now_ms:
                due |= self._turn(*heappop(turns)[1:])
            # 3. One pass decides, and again where somebody was made to yield.
            if due and (len(self._state.lines) or self._again_ms is not None):
                self._decide()
            if not ends and arrived == count and self._settled():
                break
        how = self._how
        wall_s = time.perf_counter() - began_s
        return self._record.result(how, wall_s, None if self._watch is None else self._watch.posted)

    def _watched(self, prices: Prices) -> Watch:
        seen = self._record.since
        return Watch(
            self._trace,
            prices,
            tuple(self._state.room.by_type),
            lambda from_ms: seen(from_ms, self._now_ms),
            self._how.costs.restart_ms,
        )

    def _over(self, ends: list[tuple[int, int, int]], arrived: bool) -> bool:
        """Whether nothing runs or comes, and no price will change who may."""
        return not ends and arrived and self._settled()

    def _settled(self) -> bool:
        """Where nothing runs or comes: nobody waits, or all of the fleet is there for good and does not do."""
        if not len(self._state.lines):
            return True
        promises = self._state.promises
        ahead = promises.some and promises.edge_after(self._now_ms) is not None
        dear = self._watch is not None and not self._watch.settled
        return self._again_ms is None and not self._out.anything and not ahead and not dear

    # -- events --------------------------------------------------------------------------------------------------

    def _arrive(self, number: int) -> None:
        job = self._trace.jobs[number]
        ask = self._asks.of(job)
        if ask is None:
            self._record.impossible(number)
            return
        sweep = self._state.expectation.sweeps.join(ask, job.submit_ms)
        self._state.enqueue(
            Waiting(
                job.id,
                number,
                ask,
                job.submit_ms,
                self._walltime_ms(job),
                job.name,
                checkpoints=True,
                work_ms=job.duration_ms,
                declared_ms=_declared_ms(job) if job.speeds else None,
                sweep=sweep,
                place=sweep.size,
            )
        )

    def _post(self, watch: Watch) -> None:
        """An hour begins: the next one's prices are posted, and who is above his limit in this one is stopped."""
        watch.tick()
        for running in [run for run in self._state.running.values() if run.job.ask.limit_micros is not None]:
            if watch.too_dear(running, self._now_ms):
                self._stop(running.id, Outcome.PRICED_OUT)

    def _walltime_ms(self, job: TraceJob) -> int | None:
        """What was declared. Backfilling without a declaration, or a prediction, goes by the true run time."""
        policy = self._how.policy
        if job.walltime_ms is None and policy.backfill and not policy.predicts:
            return job.duration_ms
        return job.walltime_ms

    def _end(self, number: int) -> None:
        running, now_ms = self._release(self._trace.jobs[number].id), self._now_ms
        if not self._how.policy.strict:  # Where nobody overtakes, expected run times decide nothing.
            self._state.expectation.learn(running.job, running.job.attained_ms + now_ms - running.placed_ms)
        lost_ms = self._how.costs.restart_ms if self._attempts[number] > 1 else 0
        self._record.ended(number, running, now_ms, Outcome.FINISHED, lost_ms=lost_ms)

    def _decide(self) -> None:
        if self._prices is not None:
            self._prices.move(self._now_ms)
        while True:
            made = decide(self._state, self._now_ms)
            self._least_claim = made.least_claim
            self._state.reserved = made.reserved
            if made.turns is not None:
                self._state.turns = made.turns
                self._again_ms = made.turns.until_ms if made.turns.crowd else None
            for start in made.starts:
                self._start(start)
            for stop in made.stops:
                self._stop(stop.running, Outcome.PREEMPTED)
            if not made.stops:
                return

    def _start(self, start: Start) -> None:
        job, state = start.job, self._state
        ask, number = job.ask, job.seq
        state.dequeue(job.id)
        attempt = self._attempts[number] = self._attempts[number] + 1
        overhead_ms = self._how.costs.restart_ms if attempt > 1 else 0
        length_ms = overhead_ms + round(self._left_ms[number] / ask.speed(start.type))
        now_ms = self._now_ms
        bound_ms = now_ms + job.walltime_ms if job.walltime_ms is not None else None
        grants, accelerators = start.grants, state.room.pools[start.pool].holds(ask)
        running = Running(
            job.id,
            job,
            start.type,
            start.pool,
            grants,
            accelerators,
            now_ms,
            start.borrowed,
            False,
            "",
            bound_ms,
            start.reservation,
        )
        state.start(running, now_ms)
        if ask.spot:
            self._await_turn(running, attempt)
        heappush(self._ends, (now_ms + length_ms, number, attempt))
        if self._watch is not None:
            self._watch.stir()
            if ask.limit_micros is not None:
                self._watch.placed(running, now_ms, again=attempt > 1)
        self._record.started(number, now_ms)

    def _change(self, change: Change) -> None:
        """A node or an accelerator goes out of service, with what cannot go on there, or is back."""
        for running in self._out.stopped_by(change):
            self._stop(running.id, Outcome.DRAINED if change.cause is Cause.MAINTENANCE else Outcome.FAILED)
        self._state.promises.forget(self._now_ms)
        self._record.capacity(self._now_ms, self._out.apply(change))
        self._record.out(change)

    def _release(self, running_id: str) -> Running:
        """A run ends; what it held of drained nodes goes out of service."""
        running = self._state.release(running_id, self._now_ms)
        assert running is not None
        if self._watch is not None:
            self._watch.stir()
            self._watch.ended(running.job.seq, self._now_ms)
        if self._faults is not None:
            self._record.capacity(self._now_ms, self._out.left(running))
        return running

    def _stop(self, running_id: str, outcome: Outcome) -> None:
        running = self._release(running_id)
        job = running.job
        number = job.seq
        self._attempts[number] += 1
        costs = self._how.costs
        ran_ms = self._now_ms - running.placed_ms
        overhead_ms = costs.restart_ms if self._attempts[number] > 2 else 0
        useful_ms = max(0, ran_ms - overhead_ms)
        if costs.checkpoint_ms is not None:
            kept_ms = useful_ms - useful_ms % costs.checkpoint_ms
        else:
            kept_ms = 0 if outcome is Outcome.FAILED else useful_ms
        self._left_ms[number] = max(0.0, self._left_ms[number] - kept_ms * job.ask.speed(running.type))
        self._record.ended(number, running, self._now_ms, outcome, lost_ms=ran_ms - kept_ms)
        declared_ms = job.declared_ms
        if declared_ms is not None:
            declared_ms = max(1.0, declared_ms - kept_ms * job.ask.speed(running.type))
        self._state.enqueue(
            job._replace(
                declared_ms=declared_ms,
                attained_ms=job.attained_ms + ran_ms,
                preemptions=job.preemptions + (outcome is Outcome.PREEMPTED),
                work_ms=round(self._left_ms[number]),
            )
        )

    def _turn(self, number: int, attempt: int) -> bool:
        """A run's claim has changed by itself: whether somebody who waits may have a stronger one."""
        running = self._state.running.get(self._trace.jobs[number].id)
        if running is None or self._attempts[number] != attempt:
            return False
        self._await_turn(running, attempt)
        claim = self._how.policy.claim
        ran_ms = self._now_ms - running.placed_ms
        return claim is None or claim(self._state, running.job, ran_ms, self._now_ms) > self._least_claim

    def _await_turn(self, running: Running, attempt: int) -> None:
        turn_ms = self._how.policy.turns_ms(self._state, running, self._now_ms)
        if turn_ms is not None:
            heappush(self._turns, (max(turn_ms, self._now_ms + 1), running.job.seq, attempt))


def _bounds(how: Replay) -> Bounds:
    """Nobody is stopped before the first checkpoint: a job that lost all of every run would never end."""
    if how.costs.checkpoint_ms is None:
        return how.bounds
    saved_ms = how.costs.restart_ms + how.costs.checkpoint_ms
    return replace(how.bounds, min_run_ms=max(how.bounds.min_run_ms, saved_ms))


def _declared_ms(job: TraceJob) -> float | None:
    """The work on the first type that a walltime stands for which covers the slowest of the types."""
    return job.walltime_ms * min(job.speeds) if job.walltime_ms is not None else None
