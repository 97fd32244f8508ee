"""The grid of a sweep: which policies on which fleets with which seeds, and one cell of it replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from petahour.model.errors import InvariantError, ValidationError
from petahour.scheduler.policies import policy_named
from petahour.simulator.audit import audit
from petahour.simulator.generate import Fleet, GenerateOptions
from petahour.simulator.replay import replay
from petahour.simulator.report import Summary, summarise
from petahour.simulator.scenario import World, billed, jobs_for, replay_in
from petahour.simulator.trace import Trace

MAX_CELLS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One replay of a sweep."""

    fleet: str
    policy: str
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One replay in figures."""

    cell: Cell
    summary: Summary


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Every policy on every fleet with every seed.

    ``demand`` is one trace for all, or options with which each seed generates a trace of its own: the same one for
    every fleet and policy, so that they are compared like with like. ``audited``: each replay is audited. Raises
    ValidationError.
    """

    demand: Trace | GenerateOptions
    policies: Sequence[str]
    fleets: Mapping[str, Fleet]
    seeds: Sequence[int]
    world: World = field(default_factory=World)
    audited: bool = False

    def __post_init__(self) -> None:
        for name in self.policies:
            policy_named(name)
        for label, values in (("policy", self.policies), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValidationError(field=label, value=None, rule="each once", remedy="Leave out the second one.")
        size = len(self.policies) * len(self.fleets) * len(self.seeds)
        if not 1 <= size <= MAX_CELLS:
            raise ValidationError(
                field="seeds", value=size, rule=f"a sweep has 1 to {MAX_CELLS:,} replays", remedy="Name fewer."
            )

    def cells(self) -> list[Cell]:
        """All replays in the order in which they are told: fleet by fleet, policy by policy, seed by seed."""
        return [
            Cell(fleet=fleet, policy=policy, seed=seed)
            for fleet in self.fleets
            for policy in self.policies
            for seed in self.seeds
        ]

    def run(self, cell: Cell) -> Row:
        """One cell's replay. Raises InvariantError with the first finding of an audit."""
        fleet = self.fleets[cell.fleet]
        trace = jobs_for(self.demand, fleet, self.world, seed=cell.seed)
        result = replay(trace, replay_in(self.world, fleet, policy=cell.policy, seed=cell.seed))
        if self.audited:
            for finding in audit(result):
                raise InvariantError(rule=finding.rule, value=f"{cell}: {finding.detail}")
        bill = billed(self.world, result, audited=self.audited)
        return Row(cell=cell, summary=summarise(result, bill))
