"""Goodput: the part of a run's time that moves the training forward, apart from how fast its steps are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from petahour.model.errors import ValidationError

# Interruptions per accelerator and day where a type states none. Llama 3's 16,384 H100 saw 419 in 54 days, which is
# 0.00047 (arXiv 2407.21783, section 3.3.4); OPT's 992 A100 saw more than 105 in two months, which is 0.0018
# (arXiv 2205.01068, section 2.5).
USUAL_FAILURES_PER_DAY = 0.001
DAY_S = 86_400.0
SMALLEST_GOODPUT = 0.05

# Bytes of a checkpoint per parameter: 16-bit weights, 32-bit master weights and two moments.
CHECKPOINT_BYTES = 14.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Operations:
    """How a floor runs long jobs. ``checkpoint_rate`` is bytes per second that one node writes, ``restart_s`` the
    time from a failure to the first new step. ``idle_part`` is lost to evaluations, loading and
    hands; published hours of whole runs exceed their steps by about that beside failures."""

    checkpoint_rate: float = 1e9
    least_checkpoint_s: float = 5.0
    restart_s: float = 1_200.0
    idle_part: float = 0.08

    def __post_init__(self) -> None:
        for field in ("checkpoint_rate", "least_checkpoint_s", "restart_s"):
            value = getattr(self, field)
            if not math.isfinite(value) or value <= 0:
                raise ValidationError(field=field, value=value, rule="above zero", remedy="Correct the operations.")
        if not 0 <= self.idle_part < 1:
            raise ValidationError(
                field="idle_part", value=self.idle_part, rule="from 0 to below 1", remedy="Correct the operations."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Goodput:
    """``part`` is productive time over all time; ``checkpoint_every_s`` the interval that is best, and what one
    checkpoint costs; ``failures_per_day`` of the whole gang."""

    part: float
    checkpoint_every_s: float
    checkpoint_s: float
    failures_per_day: float


def goodput(
    *, gang: int, nodes: float, parameters: float, failures_per_day: float | None, operations: Operations
) -> Goodput:
    """The goodput of a gang that checkpoints at the best interval.

    The interval is Young's, corrected by Daly (2006, "A higher order estimate of the optimum checkpoint interval for
    restart dumps", eq. 37), and the loss his complete model (eq. 20), which holds also where failures are as frequent
    as checkpoints.
    """
    per_day = gang * (USUAL_FAILURES_PER_DAY if failures_per_day is None else failures_per_day)
    checkpoint = operations.least_checkpoint_s
    checkpoint += parameters * CHECKPOINT_BYTES / (operations.checkpoint_rate * max(nodes, 1.0))
    between = DAY_S / max(per_day, 1e-9)
    interval = _daly_interval(checkpoint, between)
    exponent = (interval + checkpoint) / between
    waste = between * math.exp(min(operations.restart_s / between, 50.0)) * math.expm1(min(exponent, 50.0))
    part = interval / waste * (1.0 - operations.idle_part)
    return Goodput(
        part=max(part, SMALLEST_GOODPUT),
        checkpoint_every_s=interval,
        checkpoint_s=checkpoint,
        failures_per_day=per_day,
    )


def _daly_interval(checkpoint: float, between: float) -> float:
    if checkpoint >= 2.0 * between:
        return between
    ratio = checkpoint / (2.0 * between)
    return math.sqrt(2.0 * checkpoint * between) * (1.0 + math.sqrt(ratio) / 3.0 + ratio / 9.0) - checkpoint
