"""How a training is laid out over a gang, and which layouts can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petahour.model.errors import ValidationError
from petahour.quoting.cases import RECOMPUTE_CODES, Plans, columns
from petahour.quoting.flops import Recompute
from petahour.quoting.workload import Training


@dataclass(frozen=True, kw_only=True, slots=True)
class ParallelPlan:
    """Degrees of parallelism: ``tp`` tensor, ``pp`` pipeline, ``dp`` data (ZeRO included), ``ep`` expert.

    The gang has tp x pp x dp accelerators; experts are spread over ``ep`` ranks of a data-parallel group.
    ``micro_batch`` is in sequences, ``interleave`` the parts of a pipeline stage, ``zero`` the ZeRO stage: 0 keeps
    everything on each rank, 1 shards the optimizer, 2 the gradients too, 3 the parameters as well (FSDP).
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    micro_batch: int = 1
    interleave: int = 1
    recompute: Recompute = Recompute.NONE
    zero: int = 0
    sequence_parallel: bool = False

    @property
    def gang(self) -> int:
        """Accelerators."""
        return self.tp * self.pp * self.dp

    def __str__(self) -> str:
        degrees = [f"TP {self.tp}", f"PP {self.pp}", f"DP {self.dp}"]
        degrees += [f"EP {self.ep}"] * (self.ep > 1) + [f"interleave {self.interleave}"] * (self.interleave > 1)
        degrees += [f"micro-batch {self.micro_batch}"]
        degrees += [f"{self.recompute} recomputation"] * (self.recompute is not Recompute.NONE)
        degrees += [f"ZeRO-{self.zero}"] * (self.zero > 0)
        return ", ".join(degrees)


def check_plan(plan: ParallelPlan, training: Training) -> None:
    """Refuse a plan that this training cannot run with. Raises ValidationError naming the degree and the remedy."""
    for field in ("tp", "pp", "dp", "ep", "micro_batch", "interleave"):
        value = getattr(plan, field)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            _refuse(field, value, "a whole number from 1", "Leave it at 1 to do without.")
    if plan.zero not in (0, 1, 2, 3):
        _refuse("zero", plan.zero, "a stage from 0 to 3", "Use 0 for none and 3 for FSDP.")
    _check_model(plan, training)
    _check_batch(plan, training)


def plan_columns(plans: Sequence[ParallelPlan]) -> Plans:
    """Plans as columns."""
    rows = [
        (
            p.tp,
            p.pp,
            p.dp,
            p.ep,
            p.micro_batch,
            p.interleave,
            RECOMPUTE_CODES[p.recompute],
            p.zero,
            p.sequence_parallel,
        )
        for p in plans
    ]
    names = ("tp", "pp", "dp", "ep", "micro_batch", "interleave", "recompute", "zero", "sequence_parallel")
    return Plans(
        **columns(**{name: np.array([row[at] for row in rows], dtype=np.float64) for at, name in enumerate(names)})
    )


def _check_model(plan: ParallelPlan, training: Training) -> None:
    model = training.model
    if model.heads % plan.tp:
        _refuse("tp", plan.tp, f"a divisor of the {model.heads} heads", _divisors(model.heads))
    if plan.pp * plan.interleave > model.layers:
        rule = f"at most the {model.layers} layers, so that each stage has one"
        if plan.interleave == 1:
            _refuse("pp", plan.pp, rule, "Use fewer stages.")
        product = f"pp {plan.pp} x interleave {plan.interleave} = {plan.pp * plan.interleave}"
        _refuse("interleave", product, f"pp x interleave of {rule}", "Use fewer stages or a smaller interleave.")
    if plan.ep > 1 and model.experts is None:
        _refuse("ep", plan.ep, "1 for a model without experts", "Leave expert parallelism out.")
    if model.experts is not None and model.experts.count % plan.ep:
        _refuse("ep", plan.ep, f"a divisor of the {model.experts.count} experts", _divisors(model.experts.count))
    if plan.dp % plan.ep:
        _refuse("ep", plan.ep, f"a divisor of the data-parallel degree {plan.dp}", _divisors(plan.dp))


def _check_batch(plan: ParallelPlan, training: Training) -> None:
    if training.global_batch < plan.dp * plan.micro_batch:
        _refuse(
            "batch",
            training.global_batch,
            f"at least the {plan.dp} data-parallel ranks x micro-batch {plan.micro_batch}",
            "Use a larger batch, a smaller micro-batch, or more tensor or pipeline parallelism.",
        )


def _divisors(number: int) -> str:
    found = [str(one) for one in range(1, min(number, 64) + 1) if number % one == 0]
    return f"Use one of {', '.join(found)}."


def _refuse(field: str, value: object, rule: str, remedy: str) -> None:
    raise ValidationError(field=f"plan.{field}" if field != "batch" else field, value=value, rule=rule, remedy=remedy)
