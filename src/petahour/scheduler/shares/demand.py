"""Demand: the jobs that want time on the types, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petahour.model.errors import ValidationError
from petahour.scheduler.shares.linear import Floats, Ints


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Demand:
    """``speeds[job, type]``: work done in a second by the job's whole gang there, 0 where it cannot run.

    ``gangs[job]``: accelerators it takes at once. ``capacities[type]``: accelerators in service. The unit of work
    is the job's own; only ratios of one job's speeds, and its remaining work, are ever compared.
    A gang larger than a type's capacity has no speed there: see ``usable``.
    """

    speeds: Floats
    gangs: Ints
    capacities: Ints

    def __post_init__(self) -> None:
        jobs, types = self.speeds.shape if self.speeds.ndim == 2 else (-1, -1)
        if self.gangs.shape != (jobs,) or self.capacities.shape != (types,):
            raise ValidationError(
                field="speeds",
                value=str(self.speeds.shape),
                rule="must have a row per gang and a column per capacity",
                remedy="Pass arrays of jobs x types, jobs and types.",
            )
        if not np.isfinite(self.speeds).all() or (self.speeds < 0).any():
            raise ValidationError(
                field="speeds",
                value=None,
                rule="must be finite and not negative",
                remedy="Use 0 where a job cannot run on a type.",
            )
        if (self.gangs < 1).any() or (self.capacities < 0).any():
            raise ValidationError(
                field="gangs",
                value=None,
                rule="gangs must be at least 1 and capacities at least 0",
                remedy="Count accelerators, of a job's whole gang and of a type.",
            )

    @property
    def usable(self) -> Floats:
        """The speeds, 0 also where the whole type is too small for the gang."""
        return np.where(self.gangs[:, None] <= self.capacities[None, :], self.speeds, 0.0)
