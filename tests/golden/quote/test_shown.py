"""What `petahour quote` prints for a quote, an accuracy and a calibration, against golden files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from petahour.cli.quote_view import quoted_facts, show_accuracy, show_quote, show_quotes, show_throughput
from petahour.client.quotes import (
    Choice,
    JobThroughput,
    NotQuoted,
    Quote,
    QuoteAccuracy,
    QuotedStart,
    QuoteLine,
    QuoteOutcome,
    TierPrice,
)
from petahour.model.quotes import Interval, QuotedJob

GOLDEN = Path(__file__).parent
DAY = 86_400_000
NOW = 1_772_366_400_000


def line(name: str, *, days: float, start: QuotedStart | None, runs: int = 0) -> QuoteLine:
    run = Interval(low=round(days * 0.9 * DAY), expected=round(days * DAY), high=round(days * 1.12 * DAY))
    used = Interval(low=run.low * 256, expected=run.expected * 256, high=run.high * 256)

    def cost(price: int) -> Interval:
        return Interval(
            low=price * used.low // 3_600_000,
            expected=price * used.expected // 3_600_000,
            high=price * used.high // 3_600_000,
        )

    prices = {"on-demand": 14_000_000, "spot": 5_600_000}
    return QuoteLine(
        type=name,
        accelerators=256,
        plan="TP 4, PP 2, DP 32, interleave 4, micro-batch 1, ZeRO-1",
        run_ms=run,
        accelerator_ms=used,
        modelled_ms=run.expected,
        correction=1.06 if runs else 1.0,
        own_runs=runs,
        step_ms=36_600.0,
        petaflop_hours=246_944.2,
        energy_kwh=718_400.0,
        memory_part=0.834,
        limit="compute",
        nodes=32,
        per_node=8,
        prices=tuple(TierPrice(tier=tier, price_micros=one, total_micros=cost(one)) for tier, one in prices.items()),
        start=start,
        choices=tuple(
            Choice(accelerators=size, plan="", run_ms=round(run.expected * 256 / size * (1 + size / 5000)))
            for size in (64, 96, 128, 192, 256, 320, 512)
            if days < 100
        ),
        details={"goodput": 0.951, "mfu": 0.48, "energy_hosts": 1.3, "energy_building": 1.2},
        notes=("no training was measured on this type",) if not runs else (),
    )


STARTS = (
    QuotedStart(earliest_ms=NOW, median_ms=NOW, latest_ms=NOW, never=None),
    QuotedStart(earliest_ms=NOW + DAY // 12, median_ms=NOW + DAY // 4, latest_ms=NOW + round(2.5 * DAY), never=None),
    QuotedStart(earliest_ms=None, median_ms=None, latest_ms=None, never="this fleet has no h800-80g-sxm"),
    QuotedStart(earliest_ms=None, median_ms=None, latest_ms=None, never=None),
    None,
)
QUOTE = Quote(
    id="quote-7q0w4v2m9x",
    tenant="acme",
    user="an",
    created_ms=NOW,
    valid_until_ms=NOW + 7 * DAY,
    work="llama-2-70b/4096",
    about={"parameters": "69B parameters", "tokens": "2T tokens"},
    tier="on-demand",
    objective="cheapest",
    currency="CNY",
    lines=tuple(
        line(name, days=days, start=start, runs=runs)
        for name, days, start, runs in zip(
            ("a100-80g-sxm", "ascend-910b3", "h800-80g-sxm", "mtt-s4000", "gaudi2"),
            (214.0, 225.0, 79.4, 670.0, 0.9),
            STARTS,
            (3, 0, 0, 0, 0),
            strict=True,
        )
    ),
    refused=(NotQuoted(type="br106", reason="its peak is not established. Measure a short run."),),
    job=None,
)
OUTCOMES = tuple(
    QuoteOutcome(
        quote=f"quote-{number}",
        job=f"job-{number}",
        tenant="acme",
        work="acme/char-lm",
        type="cpu",
        accelerators=2,
        quoted_ms=Interval(low=11_000, expected=12_000, high=13_100),
        run_ms=ran,
        quoted_micros=1_870,
        charged_micros=ran * 28 // 180,
        currency="CNY",
        correction=1.02,
        own_runs=number,
        error=12_000 / ran - 1,
        within=11_000 <= ran <= 13_100,
    )
    for number, ran in enumerate((12_300, 13_900))
)
THROUGHPUT = JobThroughput(
    job="job-1",
    name="char-lm",
    type="cpu",
    accelerators=2,
    run_ms=2_700,
    unit="samples",
    rate=1_051.2,
    spread=0.007,
    stretches=7,
    set_up_s=0.31,
    power_w=65.0,
    power_by="rapl",
)


def golden(capsys: pytest.CaptureFixture[str], file: str) -> None:
    printed = capsys.readouterr()
    assert printed.out == (GOLDEN / file).read_text("utf-8")
    assert printed.err == ""


def test_a_quote_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    show_quote(QUOTE, NOW)
    golden(capsys, "quote.txt")


def test_an_expired_quote_says_so_and_offers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    late = QUOTE.valid_until_ms + 1
    show_quote(QUOTE, late)
    shown = capsys.readouterr().out
    assert "EXPIRED at 2026-03-08 12:00:00 UTC" in shown
    assert "It has expired" in shown
    assert "Submit it" not in shown
    show_quotes([QUOTE, replace(QUOTE, job="job-1")], late)
    rows = capsys.readouterr().out.splitlines()
    assert ["expired" in row for row in rows] == [False, True, False]


def test_a_quote_names_its_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    show_quote(replace(QUOTE, deadline_ms=45 * DAY), NOW)
    assert "cheapest first of what is expected to run for 45 days at most" in capsys.readouterr().out


def test_a_list_of_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    show_quotes([QUOTE], NOW)
    golden(capsys, "list.txt")


def test_quotes_beside_what_came_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    show_accuracy(QuoteAccuracy(outcomes=OUTCOMES, mape=0.08, bias=-0.08, coverage=0.5, waiting=1, other=2))
    golden(capsys, "accuracy.txt")


def test_a_run_that_was_set_aside_is_named_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    odd = replace(OUTCOMES[1], set_aside="it ran on rehearsal nodes")
    show_accuracy(QuoteAccuracy(outcomes=(OUTCOMES[0], odd), mape=0.02, bias=-0.02, coverage=1.0, waiting=0, other=0))
    shown = capsys.readouterr().out
    assert "-  set aside" in shown
    assert "Set aside, counted in no mean and not learned from: job-1: it ran on rehearsal nodes." in shown
    assert "Runs compared: 1." in shown


def test_a_calibration(capsys: pytest.CaptureFixture[str]) -> None:
    show_throughput(THROUGHPUT)
    golden(capsys, "throughput.txt")


def test_a_job_shows_what_was_quoted_beside_what_it_took() -> None:
    hour = 3_600_000
    job = QuotedJob(
        quote="quote-7q0w4v2m9x",
        work="llama-2-70b/4096",
        type="a100-80g-sxm",
        accelerators=256,
        run_ms=Interval(low=9 * hour, expected=10 * hour, high=12 * hour),
        total_micros=Interval(low=900_500_000, expected=1_000_000_000, high=1_200_000_000),
        currency="CNY",
        price_book="may-1",
        promised_ms=20 * hour,
        ran_ms=5 * hour,
        spent_micros=500_250_000,
    )
    assert quoted_facts(job, over=False) == [
        ("quote", "quote-7q0w4v2m9x, 256 x a100-80g-sxm"),
        ("promised prices", "book may-1 for 20 h of running time"),
        ("quoted", "10 h (9 - 12 h), 1,000 CNY (900.5 - 1,200) in 80 % of cases"),
        ("so far", "5 h, 500.2 CNY, 50% of the time quoted"),
    ]
    assert dict(quoted_facts(job, over=True))["it took"] == "5 h, 500.2 CNY, 50% of the time quoted"
    assert quoted_facts(None, over=False) == []
