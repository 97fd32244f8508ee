"""Rules that hold for every shape, layout and chip."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.catalog import load_catalog
from petahour.quoting.calibration import Spread, calibration_for
from petahour.quoting.chips import Chip, chip_from_type
from petahour.quoting.flops import Recompute, token_flops
from petahour.quoting.plan import ParallelPlan, plan_columns
from petahour.quoting.search import priced
from petahour.quoting.transformer import Experts, Transformer
from petahour.quoting.workload import Training

CHIPS = [chip_from_type(one) for one in load_catalog().types.values() if one.quotable]


@st.composite
def models(draw: st.DrawFn) -> Transformer:
    heads = draw(st.sampled_from([8, 16, 32, 96]))
    size = draw(st.sampled_from([64, 128]))
    experts = draw(st.none() | st.builds(Experts, count=st.just(16), per_token=st.integers(1, 4), ffn=st.just(1024)))
    return Transformer(
        name="drawn",
        layers=draw(st.integers(4, 96)),
        hidden=heads * size,
        heads=heads,
        kv_heads=draw(st.sampled_from([heads, heads // 8])),
        head_size=size,
        ffn=draw(st.integers(2, 6)) * heads * size,
        vocabulary=draw(st.integers(1000, 300_000)),
        gated=draw(st.booleans()),
        tied_embeddings=draw(st.booleans()),
        experts=experts,
    )


@st.composite
def plans(draw: st.DrawFn) -> ParallelPlan:
    return ParallelPlan(
        tp=draw(st.sampled_from([1, 2, 4, 8])),
        pp=draw(st.sampled_from([1, 2, 4])),
        dp=draw(st.sampled_from([1, 2, 16, 256])),
        micro_batch=draw(st.sampled_from([1, 2, 8])),
        recompute=draw(st.sampled_from(list(Recompute))),
        zero=draw(st.integers(0, 3)),
    )


def work(model: Transformer, plan: ParallelPlan, *, fused: bool, rounds: int = 4) -> Training:
    batch = plan.dp * plan.micro_batch * rounds
    return Training(model=model, tokens=batch * 2048, global_batch=batch, sequence=2048, flash_attention=fused)


@settings(deadline=None, max_examples=60)
@given(models(), plans(), st.sampled_from(CHIPS), st.booleans())
def test_no_step_beats_the_datasheet_and_its_parts_sum_up(
    model: Transformer, plan: ParallelPlan, chip: Chip, fused: bool
) -> None:
    training = work(model, plan, fused=fused)
    step, use = priced(training, chip, calibration_for(chip, fused=fused), plan_columns([plan]))
    total = float(step.total[0])
    names = ("compute", "memory", "network", "host", "bubble", "gradients", "optimizer")
    parts = [float(getattr(step, name)[0]) for name in names]
    assert math.isclose(sum(parts), total, rel_tol=1e-6)
    assert min(parts) >= -1e-12
    needed = token_flops(model, 2048, Recompute.NONE, causal=True).model * training.step_tokens
    assert total > needed / (plan.gang * chip.peak_flops)
    assert float(use.total[0]) > 0


@settings(deadline=None, max_examples=40)
@given(models(), plans(), st.sampled_from(CHIPS))
def test_more_work_or_a_worse_chip_never_takes_less_time(model: Transformer, plan: ParallelPlan, chip: Chip) -> None:
    fit = calibration_for(chip, fused=True)

    def seconds(training: Training, where: Chip) -> float:
        return float(priced(training, where, fit, plan_columns([plan]))[0].total[0])

    base = seconds(work(model, plan, fused=True), chip)
    assert seconds(work(model, plan, fused=True, rounds=8), chip) > base
    for field in ("peak_flops", "bandwidth", "link", "network"):
        worse = replace(chip, **{field: getattr(chip, field) / 2})
        assert seconds(work(model, plan, fused=True), worse) >= base * (1 - 1e-9)
    deeper = replace(model, layers=model.layers + plan.pp)
    assert seconds(work(deeper, plan, fused=True), chip) > base


@settings(deadline=None, max_examples=40)
@given(models(), plans(), st.sampled_from(CHIPS))
def test_sharding_and_recomputation_never_need_more_memory(
    model: Transformer, plan: ParallelPlan, chip: Chip
) -> None:
    fit = calibration_for(chip, fused=True)

    def bytes_of(changed: ParallelPlan) -> float:
        return float(priced(work(model, plan, fused=True), chip, fit, plan_columns([changed]))[1].total[0])

    stages = [bytes_of(replace(plan, zero=zero)) for zero in (0, 1, 2)]
    assert stages == sorted(stages, reverse=True)
    kinds = [bytes_of(replace(plan, recompute=kind)) for kind in (Recompute.NONE, Recompute.SELECTIVE)]
    assert kinds[1] <= kinds[0]


@given(st.floats(0.3, 1.0), st.floats(1.0, 3.0), st.floats(0.3, 1.0), st.floats(1.0, 3.0))
def test_two_uncertainties_are_wider_than_each_and_narrower_than_their_product(
    low: float, high: float, other_low: float, other_high: float
) -> None:
    one, other = Spread(low=low, high=high), Spread(low=other_low, high=other_high)
    both = one.times(other)
    assert low * other_low - 1e-9 <= both.low <= min(low, other_low) + 1e-9
    assert max(high, other_high) - 1e-9 <= both.high <= high * other_high + 1e-9
