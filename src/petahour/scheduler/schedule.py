"""Schedule: decisions as a plan that can be stored, and the pass as a pure function of a snapshot."""

from __future__ import annotations

from petahour.scheduler.decide import decide
from petahour.scheduler.decisions import Decisions
from petahour.scheduler.explain import Holds
from petahour.scheduler.funds import Money
from petahour.scheduler.plan import Place, Plan, Preempt
from petahour.scheduler.policies import PETAHOUR
from petahour.scheduler.policy import Policy
from petahour.scheduler.snapshot import Snapshot
from petahour.scheduler.state import Bounds, State
from petahour.scheduler.take_in import holder_of, running_of, waiting_of


def schedule(snapshot: Snapshot, policy: Policy = PETAHOUR) -> Plan:
    """One decision for every queued job. Pure: the same snapshot gives the same plan."""
    state = state_of(snapshot, policy)
    return plan_of(state, decide(state, snapshot.now_ms))


def plan_of(state: State, made: Decisions) -> Plan:
    """The decisions in the nouns that are stored."""
    pools = state.room.pools
    places = tuple(
        Place(
            job=start.job.id,
            type=start.type,
            slots=pools[start.pool].slots(start.grants),
            borrowed=start.borrowed,
            reservation=start.reservation,
        )
        for start in made.starts
    )
    preempts = tuple(Preempt(allocation=stop.running, for_job=stop.for_job) for stop in made.stops)
    return Plan(places=places, preempts=preempts, holds=Holds(state, made))


def state_of(snapshot: Snapshot, policy: Policy) -> State:
    """The state that a snapshot describes, built from nothing."""
    state = State(
        policy,
        snapshot.nodes.values(),
        quotas=snapshot.quotas,
        money=Money(
            available_micros=snapshot.available_micros,
            prices_micros=snapshot.prices_micros,
            hold_interval_ms=snapshot.hold_interval_ms,
        ),
        bounds=Bounds(min_run_ms=snapshot.min_run_ms, max_preemptions=snapshot.max_preemptions),
    )
    for allocation in snapshot.allocations.values():
        job = holder_of(
            state,
            allocation,
            walltime_ms=snapshot.walltimes_ms.get(allocation.job),
            preemptions=snapshot.preemptions.get(allocation.job, 0),
        )
        state.start(running_of(state, allocation, job), allocation.placed_ms)
    for queued in snapshot.queued:
        state.enqueue(waiting_of(state, queued))
    return state
