"""Scenarios: what a policy is replayed in, put together from demand, fleet, seed and what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from petahour.model.errors import InvariantError, ValidationError
from petahour.scheduler.policies import policy_named
from petahour.scheduler.state import Bounds, State
from petahour.simulator.drains import check_drains, windows_of
from petahour.simulator.estimates import EstimateNoise, with_estimates
from petahour.simulator.faults import Faults
from petahour.simulator.gangs import Gangs
from petahour.simulator.generate import Fleet, GenerateOptions, generate, with_speeds
from petahour.simulator.limits import PriceLimits, with_limits
from petahour.simulator.money import Bill, Prices, bill_faults, bill_of
from petahour.simulator.money.held import limit_findings
from petahour.simulator.replay import BOUNDS, Costs, Replay
from petahour.simulator.reservations import Promised, check_claimed, check_reserved, seated
from petahour.simulator.result import Result
from petahour.simulator.trace import Trace, TraceJob


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What is the same for every policy, fleet and seed. See ``Replay`` for the fields that it has too.

    ``noise`` replaces every declared walltime. With ``prices`` every run is billed; ``limits`` replaces
    what spot jobs pay at most. ``reservations`` are promised
    beside those of the fleet.
    """

    preemptible: bool = False
    costs: Costs = field(default_factory=Costs)
    bounds: Bounds = BOUNDS
    faults: Faults = field(default_factory=Faults)
    noise: EstimateNoise | None = None
    prices: Prices | None = None
    limits: PriceLimits | None = None
    reservations: Sequence[Promised] = ()


def jobs_for(demand: Trace | GenerateOptions, fleet: Fleet, world: World, *, seed: int) -> Trace:
    """The jobs that come: those of a trace, or generated with the seed; with the fleet's speeds and estimates.

    Raises ValidationError, also where a job could run on what has no price, or is reserved and nothing is for it.
    """
    trace = demand if isinstance(demand, Trace) else generate(replace(demand, seed=seed))
    trace = with_speeds(trace, fleet)
    types = tuple(dict.fromkeys(node.type for node in fleet.nodes))
    if world.prices is not None:
        world.prices.check(trace, types, preemptible=world.preemptible)
    if not world.preemptible:
        check_reserved(trace, (*fleet.reservations, *world.reservations))
    if world.limits is not None and world.prices is not None:
        trace = with_limits(trace, world.limits, world.prices, types, seed, preemptible=world.preemptible)
    return trace if world.noise is None else with_estimates(trace, world.noise, seed)


def check_possible(trace: Trace, fleet: Fleet, world: World) -> None:
    """Raises ValidationError for the first job whose gang or type no state of the fleet could run, and for the first
    reservation that none of the jobs can use.
    """
    gangs = Gangs(State(policy_named("fifo"), fleet.nodes), preemptible=world.preemptible)
    for job in trace.jobs:
        if gangs.of(job) is None:
            raise ValidationError(
                field=f"{trace.name}, job {job.id}",
                value=wish_of(job),
                rule="a gang and a type that some state of the fleet could run",
                remedy="Give a fleet that has them, or replay without strictness: it is then counted and told.",
            )
    check_claimed(trace, (*fleet.reservations, *world.reservations), preemptible=world.preemptible)


def wish_of(job: TraceJob) -> str:
    """What a job asks for, in words."""
    return f"{job.accelerators:,} x {' or '.join(job.types) or 'any type'}"


def replay_in(world: World, fleet: Fleet, *, policy: str, seed: int) -> Replay:
    """How to replay there. Raises ValidationError: no such policy or drain, or a policy that wants for prices."""
    chosen = policy_named(policy)
    if chosen.priced and world.prices is None:
        raise ValidationError(
            field="price_book", value=None, rule=f"policy {policy} chooses by price", remedy="Give --price-book FILE."
        )
    check_drains(world.faults.drains, [node.name for node in fleet.nodes])
    faults = replace(world.faults, drains=(*fleet.drains, *world.faults.drains))
    windows = windows_of(faults.drains, fleet.nodes)
    return Replay(
        policy=chosen,
        nodes=fleet.nodes,
        preemptible=world.preemptible,
        costs=world.costs,
        bounds=world.bounds,
        faults=faults if faults.any() else None,
        prices=world.prices,
        reservations=seated((*fleet.reservations, *world.reservations), fleet.nodes, windows, world.prices),
        seed=seed,
    )


def billed(world: World, result: Result, *, audited: bool = False) -> Bill | None:
    """What the replay's runs cost; None without prices. ``audited``: raises InvariantError where time is lost."""
    prices, restart_ms = world.prices, world.costs.restart_ms
    if prices is None:
        return None
    bill = bill_of(result, prices, restart_ms=restart_ms, preemptible=world.preemptible)
    if audited:
        for finding in limit_findings(result, prices):
            raise InvariantError(rule=finding.rule, value=f"{result.policy}: {finding.detail}")
        for fault in bill_faults(result, bill, prices, restart_ms=restart_ms, preemptible=world.preemptible):
            raise InvariantError(rule="billed + waived + idle + down = capacity", value=fault)
    return bill
