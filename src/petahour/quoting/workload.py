"""What is to be run: the training of a transformer, a program whose throughput was measured, or plain hours."""

from __future__ import annotations

import math
from dataclasses import dataclass

from petahour.model.errors import ValidationError
from petahour.quoting.transformer import Transformer

MOST_TOKENS = 10**16


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The training of a transformer on ``tokens`` tokens in steps of ``global_batch`` sequences.

    ``flash_attention`` says that attention scores are never written to memory; without it the scores of each head
    are, as in programs of before 2023.
    """

    model: Transformer
    tokens: int
    global_batch: int
    sequence: int
    flash_attention: bool = True

    def __post_init__(self) -> None:
        _whole("tokens", self.tokens, MOST_TOKENS, "Say on how many tokens to train, for example 2T.")
        _whole("batch", self.global_batch, 10**7, "Say how many sequences are in one step.")
        _whole("sequence", self.sequence, 10**8, "Say how many tokens are in one sequence.")

    @property
    def step_tokens(self) -> int:
        """Tokens of one optimizer step."""
        return self.global_batch * self.sequence

    @property
    def steps(self) -> int:
        """Optimizer steps, the last one possibly smaller."""
        return -(-self.tokens // self.step_tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredThroughput:
    """Any program whose rate was seen in a short calibration run on accelerators of the type in question.

    ``rate`` is units (samples, tokens, steps) per second of the whole calibration gang of ``gang`` accelerators;
    ``spread`` is the relative standard deviation of the rate between windows of that run; ``power_w`` is the mean
    draw per accelerator, or None. ``work`` is how many units the job has.
    """

    type: str
    unit: str
    work: float
    rate: float
    gang: int
    spread: float = 0.05
    power_w: float | None = None

    def __post_init__(self) -> None:
        _figure("work", self.work, "Say how many units are to be done.")
        _figure("rate", self.rate, "Repeat the calibration run: it must record units per second.")
        _whole("gang", self.gang, 10**6, "Say on how many accelerators the rate was measured.")
        if not 0 <= self.spread <= 1:
            raise ValidationError(
                field="spread", value=self.spread, rule="from 0 to 1", remedy="Repeat the calibration run."
            )
        if self.power_w is not None:
            _figure("power_w", self.power_w, "Leave the power out when it was not measured.")


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorHours:
    """Plain capacity: ``hours`` accelerator-hours, whatever runs in them."""

    hours: float

    def __post_init__(self) -> None:
        _figure("hours", self.hours, "Say how many accelerator-hours to quote.")


Workload = Training | MeasuredThroughput | AcceleratorHours


def _whole(field: str, value: int, most: int, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise ValidationError(field=field, value=value, rule=f"a whole number from 1 to {most}", remedy=remedy)


def _figure(field: str, value: float, remedy: str) -> None:
    if isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise ValidationError(field=field, value=value, rule="a figure above zero", remedy=remedy)
