"""Goodput: Daly's model against its known limits."""

from __future__ import annotations

import math

import pytest

from petahour.model.errors import ValidationError
from petahour.quoting.goodput import DAY_S, Goodput, Operations, goodput


def of(gang: int, *, rate: float = 0.001, parameters: float = 70e9, idle: float = 0.0) -> Goodput:
    operations = Operations(idle_part=idle)
    return goodput(gang=gang, nodes=gang / 8, parameters=parameters, failures_per_day=rate, operations=operations)


def test_a_larger_gang_fails_more_often_and_keeps_less() -> None:
    parts = [of(gang).part for gang in (64, 512, 4096, 16384)]
    assert parts == sorted(parts, reverse=True)
    assert all(0.0 < part < 1.0 for part in parts)


def test_rare_failures_give_youngs_interval() -> None:
    found = of(64, rate=1e-5)
    between = DAY_S / found.failures_per_day
    assert found.checkpoint_every_s == pytest.approx(math.sqrt(2 * found.checkpoint_s * between), rel=0.02)


def test_the_interval_is_the_best_one() -> None:
    found = of(4096)
    between = DAY_S / found.failures_per_day

    def waste(interval: float) -> float:
        return between * math.exp(1200 / between) * math.expm1((interval + found.checkpoint_s) / between) / interval

    chosen = waste(found.checkpoint_every_s)
    assert chosen <= min(waste(found.checkpoint_every_s * factor) for factor in (0.5, 0.8, 1.25, 2.0))
    assert found.part == pytest.approx(1 / chosen)


def test_llama_3_kept_nine_tenths() -> None:
    # arXiv 2407.21783, section 3.3.4: 16,384 H100, 419 interruptions in 54 days, more than 90 % effective time.
    found = of(16384, rate=0.00047, parameters=405e9)
    assert found.failures_per_day == pytest.approx(419 / 54, rel=0.02)
    assert 0.80 < found.part < 0.95


@pytest.mark.parametrize("wrong", [{"checkpoint_rate": 0.0}, {"restart_s": math.nan}, {"idle_part": 1.0}])
def test_operations_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Operations(**wrong)
