"""The performance model: the shapes that physics gives it, and published steps that no parameter was fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from petahour.catalog import load_catalog
from petahour.quoting.calibration import calibration_for
from petahour.quoting.cases import chip_columns
from petahour.quoting.chips import Chip, chip_from_type
from petahour.quoting.coefficients import Coefficients
from petahour.quoting.collectives import ring_time
from petahour.quoting.estimate import Estimate, estimate
from petahour.quoting.flops import Recompute
from petahour.quoting.plan import ParallelPlan, plan_columns
from petahour.quoting.presets import preset
from petahour.quoting.search import cases_of, priced
from petahour.quoting.step_time import step_time
from petahour.quoting.workload import Training

# arXiv 2104.04473, table 1: model, (TP, PP, DP), batch, micro-batch, interleave, seconds by its equation 3.
MEGATRON = [
    ("megatron-1.7b", (1, 1, 32), 512, 16, 1, 3.53),
    ("megatron-7.5b", (4, 1, 32), 512, 16, 1, 3.70),
    ("megatron-18.4b", (8, 1, 32), 1024, 16, 1, 9.40),
    ("megatron-76.1b", (8, 4, 32), 1792, 2, 1, 16.06),
    ("megatron-145.6b", (8, 8, 24), 2304, 2, 2, 24.82),
    ("megatron-529.6b", (8, 35, 9), 2520, 1, 1, 54.08),
    ("megatron-1008b", (8, 64, 6), 3072, 1, 2, 102.63),
]


def a100() -> Chip:
    return chip_from_type(load_catalog().types["a100-80g-sxm"])


def training(name: str, batch: int, *, fused: bool = True, sequence: int = 2048) -> Training:
    return Training(
        model=preset(name),
        tokens=batch * sequence,
        global_batch=batch,
        sequence=sequence,
        flash_attention=fused,
    )


def seconds(work: Training, plan: ParallelPlan, chip: Chip | None = None) -> float:
    chip = chip or a100()
    step, _ = priced(work, chip, calibration_for(chip, fused=work.flash_attention), plan_columns([plan]))
    return float(step.total[0])


@pytest.mark.parametrize(("name", "degrees", "batch", "micro", "parts", "published"), MEGATRON)
def test_steps_of_the_megatron_paper_are_met_within_an_eighth(
    name: str, degrees: tuple[int, int, int], batch: int, micro: int, parts: int, published: float
) -> None:
    tp, pp, dp = degrees
    plan = ParallelPlan(tp=tp, pp=pp, dp=dp, micro_batch=micro, interleave=parts, recompute=Recompute.FULL, zero=0)
    assert seconds(training(name, batch, fused=False), plan) == pytest.approx(published, rel=0.125)


def test_the_parts_of_a_step_sum_to_it() -> None:
    plan = ParallelPlan(tp=4, pp=4, dp=8, micro_batch=2, recompute=Recompute.FULL, zero=1)
    made = whole(plan)
    assert sum(made.shares.values()) == pytest.approx(1.0, abs=1e-6)
    assert min(made.shares.values()) >= 0.0
    assert made.limit in made.shares


def whole(plan: ParallelPlan) -> Estimate:
    return estimate(training("llama-2-70b", 512, sequence=4096), a100(), gang=plan.gang, plan=plan)


def test_more_stages_mean_more_bubble_and_interleaving_less() -> None:
    few, many = (ParallelPlan(tp=8, pp=pp, dp=4, micro_batch=4, zero=1) for pp in (2, 8))
    woven = replace(many, interleave=2)
    shares = [whole(plan).shares["bubble"] for plan in (few, many, woven)]
    assert shares[0] < shares[2] < shares[1]


def test_recomputation_costs_what_it_repeats() -> None:
    work = training("megatron-18.4b", 1024, fused=False)
    none, selective, full = (
        seconds(work, ParallelPlan(tp=8, dp=32, micro_batch=4, recompute=kind)) for kind in Recompute
    )
    assert none < selective < full < none * 1.5


def test_a_slower_link_or_network_never_makes_a_step_faster() -> None:
    work = training("gpt-3-175b", 1536)
    plan = ParallelPlan(tp=8, pp=8, dp=16, micro_batch=2, zero=1)
    chip = a100()
    slow_link, slow_network = replace(chip, link=chip.link / 4), replace(chip, network=chip.network / 8)
    assert seconds(work, plan, slow_link) > seconds(work, plan, chip)
    assert seconds(work, plan, slow_network) > seconds(work, plan, chip)


def test_a_small_model_is_bound_by_its_host() -> None:
    small = replace(preset("gpt-2"), positions=512, default_sequence=512)
    work = Training(model=small, tokens=8 * 512, global_batch=8, sequence=512)
    made = estimate(work, a100(), gang=8, plan=ParallelPlan(dp=8))
    assert made.shares["host"] + made.shares["optimizer"] > made.shares["compute"]


def test_a_ring_over_a_part_of_a_domain_gets_less_of_its_links() -> None:
    chip = chip_columns(a100())
    whole, part = Coefficients(link_delay=0.0), Coefficients(link_delay=0.0, part_link=0.5)

    def ring(members: float, stride: float, fit: Coefficients) -> float:
        return float(ring_time(np.array([1e9]), np.array([members]), np.array([stride]), chip, fit)[0])

    assert ring(4, 1, part) == pytest.approx(2.0 * ring(4, 1, whole))
    assert ring(8, 1, part) == ring(8, 1, whole)
    assert ring(4, 2, part) == ring(4, 2, whole)  # Every second rank of the domain: the ring passes all of it.
    assert ring(16, 1, part) == ring(16, 1, whole)


def test_a_host_bound_pass_costs_more_when_it_is_computed_again() -> None:
    small = replace(preset("gpt-2"), positions=512, default_sequence=512)
    work = Training(model=small, tokens=8 * 512, global_batch=8, sequence=512)
    plan = ParallelPlan(dp=8, recompute=Recompute.FULL)
    cases = cases_of(work, a100(), plan_columns([plan]))
    once, twice = (step_time(cases, Coefficients(host_repeat=times)) for times in (1.0, 2.0))
    added = float(twice.total[0] - once.total[0])
    layers = small.layers * Coefficients().host_layer
    assert added == pytest.approx(layers, rel=0.05)
    assert float(twice.host[0] - once.host[0]) == pytest.approx(added, rel=0.1)


def test_experts_cost_their_active_parameters_not_all() -> None:
    dense = seconds(training("llama-2-13b", 1024), ParallelPlan(dp=64, zero=3))
    sparse = seconds(training("mixtral-8x7b", 1024), ParallelPlan(dp=64, ep=8, zero=3))
    assert 0.8 < sparse / dense < 2.0


def test_expert_parallelism_over_a_slow_network_shows_as_network() -> None:
    work = training("deepseek-v3", 4096, sequence=4096)
    near, far = (
        estimate(
            work, a100(), gang=1024, plan=ParallelPlan(tp=1, pp=4, dp=256, ep=ep, zero=1, recompute=Recompute.FULL)
        )
        for ep in (8, 64)
    )
    assert far.shares["network"] > near.shares["network"]
