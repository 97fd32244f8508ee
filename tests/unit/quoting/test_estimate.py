"""Estimates as a caller gets them: training, measured throughput and plain hours, and refusals with a remedy."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from petahour.catalog import load_catalog
from petahour.model.errors import ValidationError
from petahour.model.money import Money
from petahour.model.quotes import Objective
from petahour.quoting.calibration import calibration_for, shipped
from petahour.quoting.chips import Chip, chip_from_type
from petahour.quoting.choice import best, estimates_up_to, pareto
from petahour.quoting.estimate import Estimate, estimate
from petahour.quoting.plan import ParallelPlan
from petahour.quoting.presets import preset
from petahour.quoting.search import gangs_up_to, search
from petahour.quoting.workload import AcceleratorHours, MeasuredThroughput, Training


def chip(name: str = "a100-80g-sxm") -> Chip:
    return chip_from_type(load_catalog().types[name])


def llama(tokens: int = 10**12, batch: int = 1024) -> Training:
    return Training(model=preset("llama-2-70b"), tokens=tokens, global_batch=batch, sequence=4096)


def test_a_quote_adds_up() -> None:
    made = estimate(llama(), chip(), gang=256, hourly=Money.parse("12.50", "CNY"))
    assert made.step_s is not None
    assert made.memory is not None
    assert made.memory.fits
    steps = math.ceil(10**12 / (1024 * 4096))
    assert made.run_s.expected == pytest.approx(made.step_s * steps / made.goodput)
    assert made.accelerator_hours.expected == pytest.approx(made.run_s.expected * 256 / 3600)
    assert made.run_s.low < made.run_s.expected < made.run_s.high
    assert made.price is not None
    assert made.price[1].micros == round(12_500_000 * made.accelerator_hours.expected)
    assert made.price[0] < made.price[1] < made.price[2]
    assert made.mfu is not None
    assert 0.3 < made.mfu < 0.65
    assert made.petaflop_hours == pytest.approx(6 * 69e9 * 1e12 / 1e15 / 3600, rel=0.1)
    assert made.energy_kwh is not None
    assert 0.3 < made.energy_kwh / made.accelerator_hours.expected < 0.7


def test_a_chip_without_measurements_has_a_wider_interval_and_says_so() -> None:
    known, unknown = (estimate(llama(), chip(name), gang=256) for name in ("a100-80g-sxm", "ascend-910b3"))
    assert known.measured
    assert not unknown.measured
    assert "no training was measured" in unknown.notes[0]
    assert unknown.run_s.high / unknown.run_s.expected > known.run_s.high / known.run_s.expected


def test_a_chips_own_measured_rate_replaces_the_usual_one() -> None:
    plain = chip("ascend-910b3")
    fast = replace(plain, matrix_part=0.9)
    slow = replace(plain, matrix_part=0.45)
    rates = [calibration_for(one, fused=True).coefficients.matrix for one in (fast, slow)]
    assert rates == [pytest.approx(0.873), pytest.approx(0.4365)]
    assert estimate(llama(), slow, gang=256).run_s.expected > estimate(llama(), fast, gang=256).run_s.expected


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (ParallelPlan(tp=3, dp=2), "plan.tp: a divisor of the 64 heads"),
        (ParallelPlan(pp=96), "plan.pp: at most the 80 layers"),
        (ParallelPlan(dp=2048), "batch: at least the 2048 data-parallel ranks"),
        (ParallelPlan(dp=8, ep=8), "plan.ep: 1 for a model without experts"),
        (ParallelPlan(dp=8, zero=4), "plan.zero: a stage from 0 to 3"),
        (ParallelPlan(micro_batch=0), "plan.micro_batch: a whole number from 1"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_with_the_remedy(plan: ParallelPlan, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        estimate(llama(), chip(), gang=plan.gang, plan=plan)
    assert says in str(refused.value)
    assert refused.value.remedy


def test_bad_requests_are_refused_with_their_field() -> None:
    with pytest.raises(ValidationError, match="tokens: a whole number from 1"):
        llama(tokens=0)
    with pytest.raises(ValidationError, match="gang: from 1 to"):
        estimate(llama(), chip(), gang=0)
    with pytest.raises(ValidationError, match="TP x PP x DP equal to the gang of 16"):
        estimate(llama(), chip(), gang=16, plan=ParallelPlan(dp=8))
    with pytest.raises(ValidationError, match="figures are established"):
        chip("br106")
    with pytest.raises(ValidationError, match=r"enough memory for llama-2-70b .*Take about \d+ accelerators"):
        estimate(llama(batch=8), chip("mtt-s4000"), gang=2)


def test_a_measured_rate_is_scaled_and_its_noise_kept() -> None:
    work = MeasuredThroughput(type="a100-80g-sxm", unit="samples", work=1e6, rate=100.0, gang=1, spread=0.1)
    one, eight = (estimate(work, chip(), gang=gang) for gang in (1, 8))
    assert one.run_s.expected == pytest.approx(1e4, rel=0.02)
    assert eight.run_s.expected == pytest.approx(1e4 / 8, rel=0.02)
    assert one.run_s.high / one.run_s.expected == pytest.approx(1.128)
    assert eight.run_s.high / eight.run_s.expected > one.run_s.high / one.run_s.expected
    with pytest.raises(ValidationError, match="throughput was measured on"):
        estimate(work, chip("h100-80g-sxm"), gang=1)


def test_plain_hours_are_what_they_say() -> None:
    made = estimate(AcceleratorHours(hours=1000.0), chip(), gang=8, hourly=Money.parse("2", "USD"))
    assert made.run_s.expected == pytest.approx(125 * 3600)
    assert made.price is not None
    assert str(made.price[1]) == "2,000.00 USD"


def test_the_search_finds_no_worse_plan_than_any_other_valid_one() -> None:
    training, where = llama(), chip()
    found = search(training, where, calibration_for(where, fused=True), [64])
    fastest = estimate(training, where, gang=64, plan=found.fastest())
    assert fastest.step_s == pytest.approx(float(found.step_s.min()))
    assert float(found.memory_part.max()) <= 1.0
    others = [found.plan(at) for at in range(0, found.step_s.size, 37)]
    assert all(plan.gang == 64 for plan in others)
    times = [estimate(training, where, gang=64, plan=plan).step_s for plan in others]
    assert all(time is not None and time >= fastest.step_s for time in times)


def test_objectives_choose_and_nothing_beats_the_pareto_set() -> None:
    some = estimates_up_to(llama(), chip(), 512)
    assert {one.gang for one in some} <= set(gangs_up_to(512, chip()))
    prices = {"a100-80g-sxm": 2.0}
    cheapest = best(some, Objective.CHEAPEST, hourly=prices)
    fastest = best(some, Objective.FASTEST)
    frugal = best(some, Objective.LEAST_ENERGY)
    assert fastest.gang >= cheapest.gang
    assert fastest.run_s.expected == min(one.run_s.expected for one in some)
    assert frugal.energy_kwh == min(_energy(one) for one in some)
    halfway = (fastest.run_s.expected + cheapest.run_s.expected) / 2
    in_time = best(some, Objective.CHEAPEST, hourly=prices, deadline_s=halfway)
    assert in_time.run_s.expected <= halfway
    with pytest.raises(ValidationError, match="deadline: no sooner than the fastest plan ends"):
        best(some, Objective.CHEAPEST, deadline_s=1.0)
    front = pareto(some, hourly=prices)
    assert front[0] is fastest
    assert front[-1].accelerator_hours.expected == pytest.approx(cheapest.accelerator_hours.expected)
    for one in some:
        assert any(
            kept.run_s.expected <= one.run_s.expected
            and kept.accelerator_hours.expected <= one.accelerator_hours.expected
            for kept in front
        )


def test_the_shipped_calibration_is_complete() -> None:
    names = {one.name for one in shipped()}
    assert {"ampere-unfused", "ampere-fused", "hopper-fused", "prior-fused", "prior-unfused"} == names
    for one in shipped():
        assert 0.5 < one.node.low < 1.0 < one.node.high < 2.0
        assert 0.5 < one.coefficients.matrix < 1.0
        assert 0.5 < one.coefficients.memory < 1.0


def _energy(one: Estimate) -> float:
    assert one.energy_kwh is not None
    return one.energy_kwh
