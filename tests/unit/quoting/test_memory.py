"""Memory by part against published formulas, and the verdict on configurations that are known to have run."""

from __future__ import annotations

import pytest

from petahour.catalog import load_catalog
from petahour.quoting.chips import chip_from_type
from petahour.quoting.estimate import Estimate, estimate
from petahour.quoting.flops import Recompute
from petahour.quoting.memory import memory_use
from petahour.quoting.plan import ParallelPlan, plan_columns
from petahour.quoting.presets import preset
from petahour.quoting.search import cases_of
from petahour.quoting.workload import Training

FULL = Recompute.FULL

# Each of these ran on the type named.
RAN = [
    (
        "bloom-176b",
        "a100-80g-sxm",
        2048,
        False,
        ParallelPlan(tp=4, pp=12, dp=8, micro_batch=2, recompute=FULL, zero=1),
    ),
    ("glm-130b", "a100-40g-sxm", 4224, False, ParallelPlan(tp=4, pp=8, dp=24, recompute=FULL, zero=1)),
    (
        "gpt-neox-20b",
        "a100-40g-sxm",
        1538,
        False,
        ParallelPlan(tp=2, pp=4, dp=12, micro_batch=4, recompute=FULL, zero=1),
    ),
    ("megatron-529.6b", "a100-80g-sxm", 2520, False, ParallelPlan(tp=8, pp=35, dp=9, recompute=FULL)),
    ("megatron-3.6b", "a100-80g-sxm", 512, False, ParallelPlan(dp=64, micro_batch=4, recompute=FULL)),
    ("mpt-30b", "a100-80g-sxm", 504, True, ParallelPlan(dp=8, micro_batch=3, recompute=FULL, zero=3)),
    ("mpt-1b", "h100-80g-sxm", 1280, True, ParallelPlan(dp=64, micro_batch=20, zero=3)),
    ("mpt-7b", "h100-80g-sxm", 48, True, ParallelPlan(dp=8, micro_batch=6, zero=3)),
]


@pytest.mark.parametrize(("name", "chip", "batch", "fused", "plan"), RAN)
def test_what_ran_fits(name: str, chip: str, batch: int, fused: bool, plan: ParallelPlan) -> None:
    made = _estimate(name, chip, batch, fused, plan)
    assert made.memory is not None
    assert made.memory.fits, made.memory.verdict


def test_what_cannot_be_is_refused_with_what_would_fit() -> None:
    plain = _estimate("llama-2-70b", "a100-80g-sxm", 64, True, ParallelPlan(tp=8, dp=4))
    assert plain.memory is not None
    assert not plain.memory.fits
    assert "does not fit" in plain.memory.verdict
    assert "ZeRO-1" in plain.memory.verdict
    wide = _estimate("llama-2-7b", "a100-80g-sxm", 512, True, ParallelPlan(dp=8, micro_batch=64, zero=3))
    assert wide.memory is not None
    assert "recompute activations in full, or halve the micro-batch" in wide.memory.verdict


def test_weights_gradients_and_optimizer_take_sixteen_bytes_and_shards_less() -> None:
    parameters = preset("llama-2-7b").parameters
    parts = {zero: _parts("llama-2-7b", ParallelPlan(dp=8, zero=zero)) for zero in (0, 1, 2)}
    assert sum(parts[0]) == pytest.approx(16 * parameters, rel=1e-3)
    assert sum(parts[1]) == pytest.approx((4 + 12 / 8) * parameters, rel=1e-3)
    assert sum(parts[2]) == pytest.approx((2 + 14 / 8) * parameters, rel=1e-3)


def test_activations_follow_korthikanti_and_others() -> None:
    # arXiv 2205.05198, eq. 2 and section 4.2: s b h (10 + 24 / t + 5 a s / (h t)) per layer.
    model, s, b, t = preset("gpt-3-175b"), 2048, 1, 8
    work = Training(model=model, tokens=s * 8, global_batch=8, sequence=s, flash_attention=False)
    chip = chip_from_type(load_catalog().types["a100-80g-sxm"])
    use = memory_use(cases_of(work, chip, plan_columns([ParallelPlan(tp=t, pp=8, micro_batch=b)])))
    h, a = model.hidden, model.heads
    layer = s * b * h * (10 + 24 / t + 5 * a * s / (h * t))
    assert float(use.activations[0]) == pytest.approx(layer * model.layers / 8 * 8, rel=0.01)


def _parts(name: str, plan: ParallelPlan) -> tuple[float, float, float]:
    made = _estimate(name, "a100-80g-sxm", 64, True, plan)
    assert made.memory is not None
    parts = made.memory.parts
    return parts["weights"], parts["gradients"], parts["optimizer"]


def _estimate(name: str, chip: str, batch: int, fused: bool, plan: ParallelPlan) -> Estimate:
    work = Training(model=preset(name), tokens=batch * 2048, global_batch=batch, sequence=2048, flash_attention=fused)
    return estimate(work, chip_from_type(load_catalog().types[chip]), gang=plan.gang, plan=plan)
