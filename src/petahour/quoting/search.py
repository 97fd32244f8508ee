"""Search: every valid plan of a training on a gang, or on every gang up to a size, priced in one sweep of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from petahour.model.errors import ValidationError
from petahour.quoting.calibration import Calibration
from petahour.quoting.cases import (
    RECOMPUTE_CODES,
    Batches,
    Cases,
    Numbers,
    Plans,
    chip_columns,
    columns,
    shape_columns,
)
from petahour.quoting.chips import Chip
from petahour.quoting.memory import MemoryUse, memory_use
from petahour.quoting.plan import ParallelPlan
from petahour.quoting.step_time import StepTime, step_time
from petahour.quoting.transformer import Transformer
from petahour.quoting.workload import Training

MOST_MICRO_BATCH = 64
MOST_TENSOR = 64
MOST_INTERLEAVE = 4
MOST_GANGS = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The plans of a search that fit, as columns of one value per plan: seconds per step and part of the memory."""

    plans: Plans
    step_s: Numbers
    memory_part: Numbers

    def plan(self, at: int) -> ParallelPlan:
        """One of them."""
        kinds = {code: kind for kind, code in RECOMPUTE_CODES.items()}
        row = {field.name: float(getattr(self.plans, field.name)[at]) for field in fields(Plans)}
        recompute, parallel = kinds[row.pop("recompute")], row.pop("sequence_parallel") > 0
        degrees = {name: round(value) for name, value in row.items()}
        return ParallelPlan(**degrees, recompute=recompute, sequence_parallel=parallel)

    def fastest(self) -> ParallelPlan:
        """The plan with the shortest step; of equal ones the one that leaves most memory."""
        return self.plan(int(np.lexsort((self.memory_part, self.step_s))[0]))


def priced(training: Training, chip: Chip, calibration: Calibration, plans: Plans) -> tuple[StepTime, MemoryUse]:
    """Step time and memory of plans of a training on a chip."""
    cases = cases_of(training, chip, plans)
    return step_time(cases, calibration.coefficients), memory_use(cases)


def cases_of(training: Training, chip: Chip, plans: Plans) -> Cases:
    """The cases of one training and chip, one per plan."""
    batch = columns(
        sequence=training.sequence, global_batch=training.global_batch, flash=float(training.flash_attention)
    )
    return Cases(shape=shape_columns(training.model), batch=Batches(**batch), plan=plans, chip=chip_columns(chip))


def search(training: Training, chip: Chip, calibration: Calibration, gangs: Sequence[int]) -> Found:
    """Every valid plan that fits the memory, for each gang size.

    Raises ValidationError when none of the gangs has one, saying what is missing.
    """
    tried, seconds, parts = [], [], []
    nearest = np.inf
    for gang in gangs:
        plans = plans_of(training, chip, gang)
        if plans.tp.size == 0:
            continue
        memory = memory_use(cases_of(training, chip, plans))
        nearest = min(nearest, float(memory.part.min()))
        fitting = _rows(plans, memory.part <= 1.0)
        if fitting.tp.size:
            step, _ = priced(training, chip, calibration, fitting)
            tried.append(fitting)
            seconds.append(step.total)
            parts.append(memory.part[memory.part <= 1.0])
    if not tried:
        raise nothing_fits(training, chip, gangs, nearest)
    return Found(plans=_stacked(tried), step_s=np.concatenate(seconds), memory_part=np.concatenate(parts))


def nothing_fits(training: Training, chip: Chip, gangs: Sequence[int], nearest: float) -> ValidationError:
    """What to say when no plan fits."""
    largest = max(gangs, default=0)
    name = training.model.name
    if not np.isfinite(nearest):
        rule = f"a gang that {name} can be laid out over with a batch of {training.global_batch} sequences"
        remedy = f"Heads {training.model.heads}, layers {training.model.layers}: take a gang of a power of two."
        return ValidationError(field="gang", value=largest, rule=rule, remedy=remedy)
    rule = f"enough memory for {name} on {chip.name}: the leanest plan needs {nearest:.1f} times what there is"
    enough = next_node(largest * nearest, chip)
    return ValidationError(
        field="gang",
        value=largest,
        rule=rule,
        remedy=f"Take about {enough} accelerators, or a chip with more memory.",
    )


def next_node(accelerators: float, chip: Chip) -> int:
    """That many accelerators, rounded up to whole nodes."""
    return max(int(np.ceil(accelerators / chip.node)) * chip.node, 1)


def gangs_up_to(most: int, chip: Chip) -> tuple[int, ...]:
    """Gang sizes worth looking at: powers of two inside a node, then whole nodes, ever more coarsely."""
    if most < 1:
        raise ValidationError(field="gang", value=most, rule="at least one accelerator", remedy="Ask for more.")
    inside = [size for size in (1, 2, 4, 8, 16) if size < chip.node]
    nodes: set[int] = set()
    power = 1
    while power * chip.node <= most:
        nodes |= {power, power * 5 // 4, power * 3 // 2, power * 7 // 4} if power >= 4 else {power, power * 3 // 2}
        power *= 2
    sizes = sorted({*inside, *(count * chip.node for count in nodes)})
    fitting = [size for size in sizes if size <= most] or [most]
    return tuple(fitting[-MOST_GANGS:])


def plans_of(training: Training, chip: Chip, gang: int) -> Plans:
    """Every plan of a gang that the model and the batch allow, whatever memory it needs."""
    model = training.model
    degrees = [
        (tp, pp, gang // (tp * pp))
        for tp in divisors(gang, min(MOST_TENSOR, chip.domain))
        if model.heads % tp == 0
        for pp in divisors(gang // tp, model.layers)
        if gang // (tp * pp) <= training.global_batch
    ]
    rows = []
    for tp, pp, dp in degrees:
        per_rank = training.global_batch // dp
        for micro in _powers(min(MOST_MICRO_BATCH, per_rank)):
            for ep in _expert_degrees(model, dp):
                rows += [
                    (tp, pp, dp, ep, micro, interleave, recompute, zero)
                    for interleave in _interleaves(model, pp)
                    for recompute in RECOMPUTE_CODES.values()
                    for zero in _zero_stages(pp, dp)
                ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 8)
    names = ("tp", "pp", "dp", "ep", "micro_batch", "interleave", "recompute", "zero")
    named = {name: table[:, at] for at, name in enumerate(names)}
    return Plans(**named, sequence_parallel=(table[:, 0] > 1).astype(np.float64))


def divisors(number: int, most: int) -> list[int]:
    """Divisors of a number up to a bound, ascending."""
    return [one for one in range(1, min(number, most) + 1) if number % one == 0]


def _powers(most: int) -> list[int]:
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def _expert_degrees(model: Transformer, dp: int) -> list[int]:
    if model.experts is None:
        return [1]
    return [one for one in divisors(dp, model.experts.count) if model.experts.count % one == 0]


def _interleaves(model: Transformer, pp: int) -> list[int]:
    """Parts of a stage: whole layers in each, and a pipeline to be shortened."""
    if pp == 1:
        return [1]
    return [parts for parts in (1, 2, MOST_INTERLEAVE) if parts == 1 or model.layers % (pp * parts) == 0]


def _zero_stages(pp: int, dp: int) -> list[int]:
    """Sharding needs ranks to share with. Pipelines reuse their parameters per micro-batch, so that gathering them
    each time (stage 3) is left out there."""
    if dp == 1:
        return [0]
    return [1, 3] if pp == 1 else [1]


def _rows(plans: Plans, kept: npt.NDArray[np.bool_]) -> Plans:
    return Plans(**{field.name: getattr(plans, field.name)[kept] for field in fields(Plans)})


def _stacked(parts: Sequence[Plans]) -> Plans:
    return Plans(
        **{field.name: np.concatenate([getattr(one, field.name) for one in parts]) for field in fields(Plans)}
    )
