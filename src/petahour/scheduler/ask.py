"""What waits and what runs, as the scheduler sees them: small values, made once for each change of a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from petahour.model.jobs import Promise, Tier
from petahour.model.resources import Gang
from petahour.scheduler.sweeps import Sweep

Shape = tuple[tuple[str, ...], int, int, int, str, bool]  # types, nodes, accelerators on each and on one more, rules


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ask:
    """What a job needs, interned: jobs of one ask are the same object's, and are placed and refused alike.

    ``types`` are acceptable, the preferred first; ``speeds`` (relative to the first) where they were measured.
    ``rest``: one further node with so many accelerators, for gangs that fill no whole number of nodes.
    ``limit_micros``: what an accelerator-hour may cost at most; None without a limit. ``promise``: the prices that a
    quote promised.
    """

    tenant: str
    tier: Tier
    priority: int
    types: tuple[str, ...]
    gang: Gang
    rest: int = 0
    speeds: tuple[float, ...] = ()
    limit_micros: int | None = None
    promise: Promise | None = None
    accelerators: int = field(init=False)
    shape: Shape = field(init=False)
    spot: bool = field(init=False)

    def __post_init__(self) -> None:
        # Read at every turn, hence kept; the class is frozen for everybody else.
        object.__setattr__(self, "accelerators", self.gang.accelerators + self.rest)
        object.__setattr__(self, "spot", self.tier is Tier.SPOT)
        gang = self.gang
        shape = (self.types, gang.nodes, gang.accelerators_per_node, self.rest, gang.switch.value, gang.exclusive)
        object.__setattr__(self, "shape", shape)

    def speed(self, type_name: str) -> float:
        """Speed on the type relative to the first acceptable one; 1.0 where nobody measured."""
        return self.speeds[self.types.index(type_name)] if self.speeds else 1.0


class Asks:
    """The table that makes equal asks one object."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Ask] = {}
        self.measured = False  # whether any of them has measured speeds on several types

    def of(
        self,
        *,
        tenant: str,
        tier: Tier,
        types: tuple[str, ...],
        gang: Gang,
        priority: int = 0,
        rest: int = 0,
        speeds: tuple[float, ...] = (),
        limit_micros: int | None = None,
        promise: Promise | None = None,
    ) -> Ask:
        rules = gang.switch, gang.exclusive, limit_micros, promise
        key = (tenant, tier, priority, types, gang.nodes, gang.accelerators_per_node, *rules, rest, speeds)
        known = self._known.get(key)
        if known is None:
            known = Ask(
                tenant=tenant,
                tier=tier,
                priority=priority,
                types=types,
                gang=gang,
                rest=rest,
                speeds=speeds,
                limit_micros=limit_micros,
                promise=promise,
            )
            self._known[key] = known
            self.measured = self.measured or len(speeds) > 1
        return known

    def unpromised(self, ask: Ask) -> Ask:
        """The same needs at the prices in force."""
        return self.of(
            tenant=ask.tenant,
            tier=ask.tier,
            types=ask.types,
            gang=ask.gang,
            priority=ask.priority,
            rest=ask.rest,
            speeds=ask.speeds,
        )


class Waiting(NamedTuple):
    """A queued job. ``seq`` breaks every tie.

    ``attained_ms`` is how long earlier attempts ran, ``preemptions`` how often it yielded. ``walltime_ms`` is
    its declared bound; ``checkpoints``: it can go on from where it was stopped. ``work_ms`` is what it still
    needs on its first type: only a replay knows it, and only the clairvoyant policies look. ``declared_ms`` is the
    same as its owner told it, where the steps of training are counted. ``sweep``: the jobs it was submitted with,
    found when it first waits, and ``place`` which of them it is, counted from 1. ``grace_ms``: between the signal to
    stop and its end.
    """

    id: str
    seq: int
    ask: Ask
    submitted_ms: int
    walltime_ms: int | None = None
    name: str = ""
    attained_ms: int = 0
    preemptions: int = 0
    checkpoints: bool = False
    work_ms: int | None = None
    declared_ms: float | None = None
    sweep: Sweep | None = None
    place: int = 1
    grace_ms: int = 0


class Grant(NamedTuple):
    """Accelerators of one node: its index in the pool, and their bit mask."""

    node: int
    mask: int


class Running(NamedTuple):
    """What holds accelerators. ``ends_ms`` is the latest end by its walltime; ``stop_for`` a job it yields to.

    ``reservation``: on whose seats of its tenant's it lies, where it does.
    """

    id: str
    job: Waiting
    type: str
    pool: int
    grants: tuple[Grant, ...]
    accelerators: int
    placed_ms: int
    borrowed: bool = False
    stopping: bool = False
    stop_for: str = ""
    ends_ms: int | None = None
    reservation: str = ""
