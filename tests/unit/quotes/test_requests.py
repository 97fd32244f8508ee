"""What a quote request may say, and how each wrong one is answered."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.book import Discount, Override, PriceBook, Tariff
from petahour.catalog import load_catalog
from petahour.client import QuoteRequest as ClientRequest
from petahour.control.quotes.amounts import format_amount, parse_amount
from petahour.control.quotes.offer import Prices, best_first, offer
from petahour.control.quotes.offline import quote_offline
from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.quotes import ExpectedStart, Interval, Objective, Quote, QuoteRequest
from petahour.quoting.presets import presets

LLAMA = QuoteRequest(model="llama-2-7b", tokens="100B", gang=64, types=("a100-80g-sxm", "ascend-910b3"))
BOOK = PriceBook(
    id="b-1",
    currency="CNY",
    effective_ms=0,
    prices={("a100-80g-sxm", Tier.ON_DEMAND): 14_000_000, ("ascend-910b3", Tier.ON_DEMAND): 7_000_000},
)
PRICES = Prices(book=BOOK, tenant="acme", from_ms=0)


def quoted(request: QuoteRequest, book: PriceBook | None = None) -> Quote:
    return quote_offline(load_catalog(), request, book, 0)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2T", 2 * 10**12), ("1.5B", 1_500_000_000), ("300k", 300_000), ("1,000", 1_000), (7, 7), (" 3M ", 3_000_000)],
)
def test_amounts(text: object, amount: int) -> None:
    assert parse_amount(text, field="tokens") == amount


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "T", "2 X", "1e400", 0, -3, True, None, "9" * 30, "2TT"])
def test_what_is_no_amount(text: object) -> None:
    with pytest.raises(ValidationError, match="tokens"):
        parse_amount(text, field="tokens")


@given(st.integers(min_value=1, max_value=9_999), st.sampled_from(["M", "B", "T"]))
def test_amounts_are_written_as_they_are_read(number: int, unit: str) -> None:
    parsed = parse_amount(f"{number}{unit}", field="tokens")
    assert parse_amount(format_amount(parsed), field="tokens") == pytest.approx(parsed, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": None}, "model"),
        ({"hours": 5.0}, "model"),
        ({"model": "llama-2-7"}, "model"),
        ({"model": None, "config": {"model_type": "resnet"}}, "config.model_type"),
        ({"tokens": None}, "tokens"),
        ({"tokens": "0"}, "tokens"),
        ({"sequence": 0}, "sequence"),
        ({"batch": 0}, "batch"),
        ({"gang": 0}, "gang"),
        ({"gang": None}, "gang"),
        ({"plan": "tp=8", "gang": None}, "plan"),
        ({"plan": "tp"}, "plan"),
        ({"plan": "xp=4"}, "plan"),
        ({"plan": "tp=four"}, "plan"),
        ({"plan": "tp=" + "9" * 40}, "plan"),
        ({"plan": "recompute=some"}, "plan"),
        ({"plan": "tp=3"}, "plan"),
        ({"plan": "tp=0"}, "plan"),
        ({"plan": "tp=64"}, "plan.tp"),
        ({"plan": "pp=64"}, "plan.pp"),
        ({"plan": "ep=8"}, "plan.ep"),
        ({"plan": "pp=4,interleave=9"}, "plan.interleave"),
        ({"tokens": "10001T"}, "tokens"),
        ({"tokens": "10000T", "gang": 8}, "tokens"),
        ({"model": None, "tokens": None, "hours": 1e12}, "hours"),
        ({"model": None, "tokens": None, "hours": 1e10, "gang": 1}, "hours"),
        ({"plan": "zero=4"}, "plan.zero"),
        ({"plan": "tp=1", "batch": 8}, "batch"),
        ({"plan": "tp=1,micro-batch=64", "batch": 4096}, "plan"),
        ({"types": ()}, "types"),
        ({"types": ("a100",)}, "types"),
        ({"types": ("br106",)}, "types"),
        ({"types": ("mtt-s3000",), "model": "gpt-3-175b", "gang": 1}, "gang"),
        ({"objective": "best"}, "objective"),
        ({"tier": "gold"}, "tier"),
        ({"deadline": "soon"}, "deadline"),
        ({"deadline": 0}, "deadline"),
        ({"model": None, "tokens": None, "hours": -1.0}, "hours"),
        ({"model": None, "tokens": None, "hours": float("inf")}, "hours"),
        ({"model": None, "measured": "job-1", "tokens": None, "types": (), "gang": None}, "measured"),
        ({"model": None, "measured": "job-1"}, "tokens"),
        ({"model": None, "measured": "job-1", "tokens": None}, "types"),
        ({"model": None, "hours": 5.0}, "tokens"),
        ({"model": None, "hours": 5.0, "tokens": None, "plan": "tp=8"}, "plan"),
        ({"model": None, "hours": 5.0, "tokens": None, "amount": 5}, "amount"),
        ({"amount": 5}, "amount"),
        ({"tenant": "acme"}, "tenant"),
        ({"plan": "tp=8,tp=4"}, "plan"),
        ({"plan": "recompute=full,recompute=none"}, "plan"),
    ],
)
def test_a_wrong_request_names_its_field_and_a_remedy(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        quoted(replace(LLAMA, **change))
    assert caught.value.field == field
    assert caught.value.remedy


def test_no_bound_is_crossed_silently() -> None:
    with pytest.raises(ValidationError, match=r"at most 10,000T") as caught:
        quoted(replace(LLAMA, tokens="1000000T"))
    assert "2T" in caught.value.remedy
    with pytest.raises(ValidationError, match="at most 1,000 years; on 64 x a100-80g-sxm this one takes 30,501"):
        quoted(replace(LLAMA, model="gpt-3-175b", tokens="10000T", gang=64, types=("a100-80g-sxm",), batch=1024))
    dear = replace(BOOK, prices={("a100-80g-sxm", Tier.ON_DEMAND): 10**15})
    with pytest.raises(ValidationError, match="micro-units of money") as caught:
        quoted(replace(LLAMA, model=None, tokens=None, hours=1e9, gang=1000, types=("a100-80g-sxm",)), dear)
    assert caught.value.field == "hours"
    with pytest.raises(ValidationError, match="pp 4 x interleave 9 = 36"):
        quoted(replace(LLAMA, plan="pp=4,interleave=9"))


@pytest.mark.parametrize(
    ("tokens", "batch", "steps", "told"),
    [
        (1, 64, 1, "1 step of 64 x 4,096 tokens"),
        ("1B", 10_000_000, 1, "1 step of 10,000,000 x 4,096 tokens"),
        (64 * 4096 + 1, 64, 2, "2 steps of 64 x 4,096 tokens"),
        ("1B", None, 239, "239 steps of 1,024 x 4,096 tokens (a usual batch)"),
    ],
)
def test_a_run_is_of_whole_steps(tokens: str | int, batch: int | None, steps: int, told: str) -> None:
    quote = quoted(replace(LLAMA, tokens=tokens, batch=batch))
    assert quote.about["steps"] == told
    assert quote.about["precision"] == "in 16 bits"
    for line in quote.lines:
        kept = line.run_ms.expected * line.details["goodput"]
        assert kept == pytest.approx(steps * (line.step_ms or 0), rel=1e-3)
    assert (quote.about["tokens"] == "1 token") == (tokens == 1)


def test_a_type_without_figures_is_refused_beside_others_that_have_them() -> None:
    quote = quoted(replace(LLAMA, types=("a100-80g-sxm", "br106")))
    assert [line.type for line in quote.lines] == ["a100-80g-sxm"]
    assert "a dense 16-bit peak" in quote.refused[0].reason


def test_a_given_plan_is_the_one_that_is_quoted() -> None:
    line = quoted(replace(LLAMA, plan="tp=4, pp=2, micro-batch=2, recompute=full, zero=1")).lines[0]
    assert line.plan == "TP 4, PP 2, DP 8, micro-batch 2, full recomputation, ZeRO-1"
    best = quoted(LLAMA).lines[0]
    assert best.type == line.type
    assert best.run_ms.expected <= line.run_ms.expected


def test_a_plan_that_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(ValidationError) as caught:
        quoted(replace(LLAMA, plan="tp=1,micro-batch=64", batch=4096))
    assert "does not fit" in caught.value.remedy
    assert "recompute" in caught.value.remedy


def test_a_line_says_time_energy_and_what_limits_it() -> None:
    line = quoted(LLAMA).lines[0]
    assert line.run_ms.low < line.run_ms.expected < line.run_ms.high
    assert line.accelerators == 64
    assert line.plan.startswith("TP ")
    # 6ND of 6.7 billion parameters and 100 billion tokens, and attention beside it.
    assert line.petaflop_hours == pytest.approx(6 * 6.7e9 * 100e9 / 1e15 / 3600, rel=0.15)
    assert 0 < (line.memory_part or 0) <= 1
    assert line.energy_kwh is not None
    assert line.limit in {"compute", "memory", "network", "bubble", "host", "optimizer"}


def test_a_deadline_that_is_missed_is_said() -> None:
    quote = quoted(replace(LLAMA, deadline="1d"))
    assert quote.deadline_ms == 86_400_000
    assert all(line.late and "deadline of 1d" in line.notes[0] for line in quote.lines)
    assert not any(line.late for line in quoted(replace(LLAMA, deadline="300d")).lines)
    assert quoted(LLAMA).deadline_ms is None


def test_energy_says_what_it_counts() -> None:
    for line in quoted(LLAMA).lines:
        assert (line.details["energy_hosts"], line.details["energy_building"]) == (1.3, 1.2)


def test_prices_follow_the_book_and_without_one_there_are_none() -> None:
    assert quoted(LLAMA).lines[0].prices == ()
    for line in quoted(LLAMA, BOOK).lines:
        (price,) = line.prices
        hours = line.accelerator_ms.expected / 3_600_000
        assert price.total_micros.expected == pytest.approx(price.price_micros * hours, abs=1)


def test_a_config_is_quoted_like_the_model_it_describes() -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "intermediate_size": 11008,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
    }
    named, described = quoted(LLAMA), quoted(replace(LLAMA, model=None, config=config))
    assert presets()["llama-2-7b"].parameters > 0
    assert [line.run_ms for line in described.lines] == [line.run_ms for line in named.lines]


def test_the_objective_orders_the_lines() -> None:
    fast = TypeEstimate(type="a100-80g-sxm", accelerators=64, plan="", run_s=100, low_s=90, high_s=110, energy_kwh=9)
    cheap = replace(fast, type="ascend-910b3", run_s=150, low_s=140, high_s=160, energy_kwh=5)
    lines = [offer(fast, prices=PRICES), offer(cheap, prices=PRICES)]

    def order(objective: Objective, deadline_ms: int | None = None) -> list[str]:
        shown = [replace(line, late=line.run_ms.expected > (deadline_ms or 2**62)) for line in lines]
        return [line.type for line in best_first(shown, objective, Tier.ON_DEMAND)]

    assert order(Objective.FASTEST) == ["a100-80g-sxm", "ascend-910b3"]
    assert order(Objective.CHEAPEST) == order(Objective.LEAST_ENERGY) == ["ascend-910b3", "a100-80g-sxm"]
    assert order(Objective.CHEAPEST, 120_000) == ["a100-80g-sxm", "ascend-910b3"]
    assert order(Objective.CHEAPEST, 50_000) == ["a100-80g-sxm", "ascend-910b3"]
    lines[1] = offer(cheap, prices=PRICES, start=ExpectedStart(never="this fleet has none"))
    assert order(Objective.CHEAPEST) == ["a100-80g-sxm", "ascend-910b3"]


def test_own_runs_correct_time_energy_and_price_and_are_shown() -> None:
    seen = TypeEstimate(type="a100-80g-sxm", accelerators=8, plan="", run_s=100, low_s=80, high_s=125, energy_kwh=10)
    line = offer(seen, ratios=[1.1] * 50, prices=PRICES)
    assert line.correction == pytest.approx(1.1, rel=0.01)
    assert (line.own_runs, line.modelled_ms) == (50, 100_000)
    assert line.run_ms.expected == pytest.approx(110_000, rel=0.01)
    assert line.energy_kwh == pytest.approx(11, rel=0.01)
    assert line.run_ms.high - line.run_ms.low < 45_000
    certain = offer(replace(seen, low_s=100, high_s=100, learns=False), ratios=[2.0])
    assert certain.run_ms == Interval(low=100_000, expected=100_000, high=100_000)


@given(st.lists(st.floats(min_value=0.25, max_value=4.0), max_size=30), st.floats(min_value=1.0, max_value=1e6))
def test_whatever_ran_the_interval_is_bounded(ratios: list[float], apart: float) -> None:
    wide = TypeEstimate(type="cpu", accelerators=1, plan="", run_s=100, low_s=100 / apart, high_s=100 * apart)
    run = offer(wide, ratios=ratios).run_ms
    assert run.expected / 4 - 1 <= run.low <= run.expected <= run.high <= run.expected * 4 + 4


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_config_with_what_is_no_json_number_is_refused_before_it_is_sent(value: float) -> None:
    config = {"model_type": "llama", "rope": {"factors": [1.0, value]}}
    with pytest.raises(ValidationError) as caught:
        ClientRequest(config=config).body()
    assert caught.value.field == "config.rope.factors[1]"


@pytest.mark.parametrize("hours", [math.nan, math.inf])
def test_hours_that_json_has_no_number_for_are_refused_before_they_are_sent(hours: float) -> None:
    with pytest.raises(ValidationError, match="above zero"):
        ClientRequest(hours=hours).body()


def test_a_price_that_differs_by_the_hour_is_quoted_as_its_mean() -> None:
    week = tuple(2_000_000 if hour % 24 < 6 else 1_000_000 for hour in range(168))
    pair = ("cpu", Tier.ON_DEMAND)
    book = replace(BOOK, prices={pair: 2_000_000}, tariffs={pair: Tariff(hours=week)})
    whole = TypeEstimate(type="cpu", accelerators=2, plan="", run_s=86_400, low_s=80_000, high_s=90_000)
    (price,) = offer(whole, prices=Prices(book=book, tenant="acme", from_ms=0)).prices
    assert price.price_micros == 1_250_000
    assert price.total_micros.expected == 1_250_000 * 48
    night = replace(whole, run_s=7_200, low_s=7_000, high_s=7_500)
    assert offer(night, prices=Prices(book=book, tenant="acme", from_ms=0)).prices[0].price_micros == 2_000_000


def test_a_tenant_is_quoted_its_own_price() -> None:
    own = {("acme", "a100-80g-sxm", Tier.ON_DEMAND): Override(tariff=Tariff(hours=(3_000_000,) * 168))}
    book = replace(BOOK, overrides=own, discounts={"beta": (Discount(off=Decimal(50)),)})
    line = TypeEstimate(type="a100-80g-sxm", accelerators=1, plan="", run_s=3_600, low_s=3_000, high_s=4_000)
    found = {
        tenant: offer(line, prices=Prices(book=book, tenant=tenant, from_ms=0)).prices[0].price_micros
        for tenant in ("acme", "beta", "coop")
    }
    assert found == {"acme": 3_000_000, "beta": 7_000_000, "coop": 14_000_000}
