"""The entry point: what a workload takes on a gang of one type, with its error, its limits and its price."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from petahour.model.errors import ValidationError
from petahour.model.money import Money
from petahour.quoting.calibration import Calibration, Spread, calibration_for, step_spread
from petahour.quoting.chips import Chip
from petahour.quoting.energy import Building, energy_kwh, mean_power_w
from petahour.quoting.flops import token_flops
from petahour.quoting.goodput import Goodput, Operations, goodput
from petahour.quoting.memory import MemoryUse
from petahour.quoting.plan import ParallelPlan, check_plan, plan_columns
from petahour.quoting.search import next_node, priced, search
from petahour.quoting.step_time import StepTime
from petahour.quoting.workload import AcceleratorHours, MeasuredThroughput, Training, Workload

HOUR_S = 3600.0
PETA = 1e15
MOST_GANG = 200_000

# A program that was measured on few accelerators loses this much per doubling of them, between these bounds.
SCALING_LOSS = Spread(low=0.98, high=1.10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What is expected, and the bounds that eight of ten outcomes should lie in."""

    low: float
    expected: float
    high: float

    def times(self, factor: float) -> Span:
        """All three multiplied."""
        return Span(low=self.low * factor, expected=self.expected * factor, high=self.high * factor)


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryShare:
    """Bytes on the fullest accelerator by part (weights, gradients, optimizer, activations, reserve), what the chip
    has, and the verdict in words: whether it fits, and if not, what would."""

    parts: Mapping[str, float]
    capacity: float
    fits: bool
    verdict: str

    @property
    def part(self) -> float:
        """Used memory over the chip's, the reserve included."""
        return sum(self.parts.values()) / self.capacity


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a workload takes on ``gang`` accelerators of a type.

    ``run_s`` are seconds from the first step to the last with failures, checkpoints and restarts; ``step_s`` of one
    optimizer step without them. ``accelerator_hours`` are gang x run. ``petaflop_hours`` are of model FLOPs, what the
    run delivers. ``mfu`` (6ND) and ``hfu`` (with recomputation) are parts of the dense peak during steps. ``limit``
    is what most of the step goes to, of ``shares``: compute, memory, network, bubble, host, optimizer. ``price`` is
    None without an hourly price. What a workload does not tell is None.
    """

    type: str
    gang: int
    run_s: Span
    accelerator_hours: Span
    goodput: float
    plan: ParallelPlan | None = None
    step_s: float | None = None
    steps: int | None = None
    petaflop_hours: float | None = None
    mfu: float | None = None
    hfu: float | None = None
    energy_kwh: float | None = None
    price: tuple[Money, Money, Money] | None = None
    memory: MemoryShare | None = None
    limit: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    checkpoint_every_s: float | None = None
    calibration: str = ""
    measured: bool = True
    notes: tuple[str, ...] = ()


def estimate(
    workload: Workload,
    chip: Chip,
    *,
    gang: int,
    plan: ParallelPlan | None = None,
    hourly: Money | None = None,
    operations: Operations | None = None,
    building: Building | None = None,
) -> Estimate:
    """Estimate a workload on ``gang`` accelerators of a chip, by the given plan or the fastest one that fits.

    ``hourly`` is the price of one accelerator-hour; ``price`` of the estimate is then (low, expected, high). Raises
    ValidationError when the gang, the plan, the batch or the memory does not allow it, naming what would.
    """
    if isinstance(gang, bool) or not isinstance(gang, int) or not 1 <= gang <= MOST_GANG:
        raise ValidationError(
            field="gang", value=gang, rule=f"from 1 to {MOST_GANG} accelerators", remedy="Correct the gang."
        )
    operations, building = operations or Operations(), building or Building()
    if isinstance(workload, Training):
        return _training(workload, chip, gang, plan, hourly, operations, building)
    if isinstance(workload, MeasuredThroughput):
        return _measured(workload, chip, gang, hourly, operations, building)
    return _plain(workload, chip, gang, hourly, building)


def memory_share(use: MemoryUse, at: int, training: Training, chip: Chip, plan: ParallelPlan) -> MemoryShare:
    """The memory of one case, with its verdict."""
    names = ("weights", "gradients", "optimizer", "activations", "reserve")
    parts = {name: float(np.broadcast_to(getattr(use, name), use.total.shape)[at]) for name in names}
    part = float(use.part[at])
    fits = part <= 1.0
    verdict = f"fits: {part:.0%} of {chip.memory_bytes / 2**30:.0f} GiB with the reserve"
    if not fits:
        most = max((name for name in names if name != "reserve"), key=lambda name: parts[name])
        verdict = (
            f"does not fit: {part:.2f} times the memory, most of it {most}; {_would_fit(most, plan, part, chip)}"
        )
    return MemoryShare(parts=MappingProxyType(parts), capacity=float(chip.memory_bytes), fits=fits, verdict=verdict)


def _would_fit(most: str, plan: ParallelPlan, part: float, chip: Chip) -> str:
    if most == "activations":
        if plan.recompute != "full":
            return "recompute activations in full, or halve the micro-batch"
        return "halve the micro-batch, or use more tensor parallelism"
    if most == "optimizer" and plan.zero == 0 and plan.dp > 1:
        return "shard the optimizer over the data-parallel ranks (ZeRO-1)"
    if plan.zero < 3 and plan.pp == 1 and plan.dp > 1:
        return "shard the parameters (ZeRO-3), or use more tensor or pipeline parallelism"
    return f"use more pipeline or tensor parallelism, about {next_node(plan.gang * part, chip)} accelerators"


def _training(
    training: Training,
    chip: Chip,
    gang: int,
    plan: ParallelPlan | None,
    hourly: Money | None,
    operations: Operations,
    building: Building,
) -> Estimate:
    calibration = calibration_for(chip, fused=training.flash_attention)
    if plan is None:
        plan = search(training, chip, calibration, [gang]).fastest()
    _check_gang(plan, gang)
    check_plan(plan, training)
    step, use = priced(training, chip, calibration, plan_columns([plan]))
    memory = memory_share(use, 0, training, chip, plan)
    kept = goodput(
        gang=gang,
        nodes=gang / chip.node,
        parameters=training.model.parameters,
        failures_per_day=chip.failures_per_day,
        operations=operations,
    )
    step_s = float(step.total[0])
    span = _span(
        step_s * training.steps / kept.part,
        step_spread(calibration, chip, plan).times(calibration.run),
    )
    hours = span.times(gang / HOUR_S)
    shares = shares_of(step, 0)
    flops = token_flops(training.model, training.sequence, plan.recompute)
    rate = training.step_tokens / (step_s * gang * chip.peak_flops)
    return Estimate(
        type=chip.name,
        gang=gang,
        run_s=span,
        accelerator_hours=hours,
        goodput=kept.part,
        plan=plan,
        step_s=step_s,
        steps=training.steps,
        petaflop_hours=flops.model * training.tokens / PETA / HOUR_S,
        mfu=flops.six_nd * rate,
        hfu=flops.hardware * rate,
        energy_kwh=_energy(chip, shares, kept, hours.expected, building),
        price=_price(hourly, hours),
        memory=memory,
        limit=max(shares, key=lambda name: shares[name]),
        shares=shares,
        checkpoint_every_s=kept.checkpoint_every_s,
        calibration=calibration.name,
        measured=calibration.measured,
        notes=_notes(calibration, memory),
    )


def shares_of(step: StepTime, at: int) -> Mapping[str, float]:
    """Parts of a step (summing to 1) by what they go to; gradient traffic counts as network."""
    total = float(step.total[at])
    network = float(step.network[at] + step.gradients[at])
    seconds = {name: float(getattr(step, name)[at]) for name in ("compute", "memory", "bubble", "host", "optimizer")}
    return MappingProxyType({name: one / total for name, one in {**seconds, "network": network}.items()})


def _span(expected: float, spread: Spread) -> Span:
    return Span(low=expected * spread.low, expected=expected, high=expected * spread.high)


def _energy(chip: Chip, shares: Mapping[str, float], kept: Goodput, hours: float, building: Building) -> float | None:
    computing = shares["compute"] * kept.part
    moving = (shares["memory"] + shares["network"] + shares["optimizer"]) * kept.part
    power = mean_power_w(chip, computing=computing, moving=moving)
    return None if power is None else energy_kwh(power, hours, building)


def _notes(calibration: Calibration, memory: MemoryShare) -> tuple[str, ...]:
    notes = []
    if not calibration.measured:
        notes.append("no training was measured on this type: its figures and a usual efficiency are assumed")
    if not memory.fits:
        notes.append(memory.verdict)
    return tuple(notes)


def _check_gang(plan: ParallelPlan, gang: int) -> None:
    if plan.gang != gang:
        raise ValidationError(
            field="plan",
            value=str(plan),
            rule=f"TP x PP x DP equal to the gang of {gang}",
            remedy=f"The plan is for {plan.gang} accelerators: change its data-parallel degree or the gang.",
        )


def _measured(
    work: MeasuredThroughput, chip: Chip, gang: int, hourly: Money | None, operations: Operations, building: Building
) -> Estimate:
    """A measured rate is scaled to the gang; what scaling may cost widens the interval."""
    if work.type != chip.name:
        raise ValidationError(
            field="type",
            value=chip.name,
            rule=f"the type {work.type} that the throughput was measured on",
            remedy="Measure on the other type too: a rate does not carry over.",
        )
    doublings = abs(math.log2(gang / work.gang))
    # 1.28 standard deviations hold the middle 80 %.
    noise = 1.28 * work.spread
    spread = Spread(
        low=SCALING_LOSS.low**doublings / (1.0 + noise), high=SCALING_LOSS.high**doublings * (1.0 + noise)
    )
    kept = goodput(
        gang=gang,
        nodes=gang / chip.node,
        parameters=0.0,
        failures_per_day=chip.failures_per_day,
        operations=operations,
    )
    seconds = work.work / (work.rate * gang / work.gang)
    # A short run is over before the next interruption is due, so that it counts only for what it is.
    lost = min(1.0 / kept.part - 1.0, seconds * kept.failures_per_day / 86_400.0)
    span = _span(seconds * (1.0 + lost), spread)
    hours = span.times(gang / HOUR_S)
    power = work.power_w if work.power_w is not None else mean_power_w(chip, computing=0.8, moving=0.2)
    return Estimate(
        type=chip.name,
        gang=gang,
        run_s=span,
        accelerator_hours=hours,
        goodput=1.0 / (1.0 + lost),
        energy_kwh=None if power is None else energy_kwh(power, hours.expected, building),
        price=_price(hourly, hours),
        calibration="measured throughput",
    )


def _plain(work: AcceleratorHours, chip: Chip, gang: int, hourly: Money | None, building: Building) -> Estimate:
    span = _span(work.hours * HOUR_S / gang, Spread(low=1.0, high=1.0))
    hours = span.times(gang / HOUR_S)
    power = mean_power_w(chip, computing=0.8, moving=0.2)
    return Estimate(
        type=chip.name,
        gang=gang,
        run_s=span,
        accelerator_hours=hours,
        goodput=1.0,
        energy_kwh=None if power is None else energy_kwh(power, hours.expected, building),
        price=_price(hourly, hours),
        calibration="accelerator-hours",
    )


def _price(hourly: Money | None, hours: Span) -> tuple[Money, Money, Money] | None:
    if hourly is None:
        return None
    low, expected, high = (
        Money(round(hourly.micros * amount), hourly.currency) for amount in (hours.low, hours.expected, hours.high)
    )
    return low, expected, high
