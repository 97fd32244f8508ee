"""Scenarios: what a policy is replayed in, put together from demand, fleet, seed and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from petahour.scheduler.policies import policy_named
from petahour.scheduler.state import Bounds
from petahour.simulator.drains import check_drains
from petahour.simulator.estimates import EstimateNoise, with_estimates
from petahour.simulator.faults import Faults
from petahour.simulator.generate import Fleet, GenerateOptions, generate, with_speeds
from petahour.simulator.replay import BOUNDS, Costs, Replay
from petahour.simulator.trace import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What is the same for every policy, fleet and seed. See ``Replay`` for the fields that it has too.

    ``noise`` replaces every declared walltime.
    """

    preemptible: bool = False
    costs: Costs = field(default_factory=Costs)
    bounds: Bounds = BOUNDS
    faults: Faults = field(default_factory=Faults)
    noise: EstimateNoise | None = None


def jobs_for(demand: Trace | GenerateOptions, fleet: Fleet, world: World, *, seed: int) -> Trace:
    """The jobs that come: those of a trace, or generated with the seed; with the fleet's speeds and estimates."""
    trace = demand if isinstance(demand, Trace) else generate(replace(demand, seed=seed))
    trace = with_speeds(trace, fleet)
    return trace if world.noise is None else with_estimates(trace, world.noise, seed)


def replay_in(world: World, fleet: Fleet, *, policy: str, seed: int) -> Replay:
    """How to replay there. Raises ValidationError for a policy or a drain that there is not."""
    check_drains(world.faults.drains, [node.name for node in fleet.nodes])
    faults = replace(world.faults, drains=(*fleet.drains, *world.faults.drains))
    return Replay(
        policy=policy_named(policy),
        nodes=fleet.nodes,
        preemptible=world.preemptible,
        costs=world.costs,
        bounds=world.bounds,
        faults=faults if faults.any() else None,
        seed=seed,
    )
