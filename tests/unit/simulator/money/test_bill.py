"""Money in replays: a bill worked by hand, prices that change, conservation under all that goes wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import InvariantError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS, to_iso
from petahour.scheduler.policies import POLICIES
from petahour.simulator.drains import Drain
from petahour.simulator.faults import Faults
from petahour.simulator.fleet import PLAIN_TYPE, plain_nodes
from petahour.simulator.money import Bill, Prices, bill_faults, bill_of, read_prices
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.report import as_json, summarise, write_report
from petahour.simulator.result import Outcome, Result
from petahour.simulator.trace import Trace, TraceJob

BOOK = """
[[price_book]]
id = "one"
currency = "CNY"
effective = 2026-03-02T00:00:00Z
[price_book.prices.accelerator]
on-demand = "10.00"
spot = "4.000001"
reserved = "7"
"""
LATER = BOOK.replace('"one"', '"two"').replace("03-02T00", "03-02T02").replace('"10.00"', '"20"')
NODES = plain_nodes(2, 4)
RESTART_MS = 60_000


def prices(tmp_path: Path, text: str = BOOK, **options: object) -> Prices:
    path = tmp_path / "prices.toml"
    path.write_text(text, "utf-8")
    return read_prices(path, **options)  # type: ignore[arg-type]


def job(number: int, submit_ms: int, duration_ms: int, accelerators: int, tier: Tier = Tier.ON_DEMAND) -> TraceJob:
    return TraceJob(
        row=number,
        id=str(number),
        tenant="ab"[number % 2],
        submit_ms=submit_ms,
        duration_ms=duration_ms,
        accelerators=accelerators,
        tier=tier,
    )


def run(*jobs: TraceJob, policy: str = "fifo", faults: Faults | None = None, seed: int = 0) -> Result:
    trace = Trace(name="t", jobs=sorted(jobs, key=lambda one: (one.submit_ms, one.row)))
    costs = Costs(restart_ms=RESTART_MS)
    return replay(trace, Replay(policy=POLICIES[policy], nodes=NODES, costs=costs, faults=faults, seed=seed))


def test_a_bill_worked_by_hand(tmp_path: Path) -> None:
    book = prices(tmp_path)
    # Its last book takes effect on a Monday, and that is where the trace begins.
    assert to_iso(book.begins_ms) == "2026-03-02T00:00:00.000Z"
    # a: 4 accelerators for 90 min at 10; b: 2 spot ones for 100 s at 4.000001, which is 0.22222228 to half even.
    result = run(job(0, 0, 90 * 60_000, 4), job(1, 0, 100_000, 2, Tier.SPOT))
    bill = bill_of(result, book, restart_ms=RESTART_MS)
    assert [(line.tenant, line.type, line.tier, line.revenue_micros) for line in bill.lines] == [
        ("a", PLAIN_TYPE, Tier.ON_DEMAND, 60_000_000),
        ("b", PLAIN_TYPE, Tier.SPOT, 222_222),
    ]
    assert bill.revenue_micros == 60_222_222
    assert bill.billed_ams == 4 * 90 * 60_000 + 2 * 100_000
    assert bill.waived_ams == 0
    assert bill_faults(result, bill, book, restart_ms=RESTART_MS) == ()


def test_what_a_fault_loses_is_waived_from_the_last_full_hour_on(tmp_path: Path) -> None:
    book = prices(tmp_path)
    faults = Faults(node_mtbf_ms=6 * HOUR_MS, repair_ms=60_000)
    result = run(job(0, 0, 4 * HOUR_MS, 4), faults=faults, seed=7)
    failed = result.runs.outcome == Outcome.FAILED
    assert failed.any()
    bill = bill_of(result, book, restart_ms=RESTART_MS)
    (line,) = bill.lines
    lost_ams = restarts = billed_ams = 0
    for number, (start, end) in enumerate(zip(result.runs.start_ms, result.runs.end_ms, strict=True)):
        begins = start + RESTART_MS if number else start
        restarts += 4 * int(min(begins, end) - start)
        if failed[number]:
            from_ms = max(begins, end // HOUR_MS * HOUR_MS)
            lost_ams += 4 * max(0, int(end - from_ms))
            billed_ams += 4 * max(0, int(min(from_ms, end) - begins))
        else:
            billed_ams += 4 * int(end - begins)
    assert (line.lost_ams, line.provisioning_ams, line.billed_ams) == (lost_ams, restarts, billed_ams)
    assert lost_ams > 0
    assert restarts > 0
    assert bill_faults(result, bill, book, restart_ms=RESTART_MS) == ()


JOBS = st.lists(
    st.tuples(
        *(st.integers(0, 5 * HOUR_MS), st.integers(0, 3 * HOUR_MS), st.integers(1, 8)),
        st.sampled_from([Tier.ON_DEMAND, Tier.SPOT]),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("policy", ["fifo", "petahour", "las", "cheapest"])
@settings(max_examples=20, deadline=None)
@given(rows=JOBS, seed=st.integers(0, 9), preemptible=st.booleans())
def test_all_time_is_billed_waived_idle_or_down(
    tmp_path_factory: pytest.TempPathFactory,
    policy: str,
    rows: list[tuple[int, int, int, Tier]],
    seed: int,
    preemptible: bool,
) -> None:
    book = prices(tmp_path_factory.mktemp("money"))
    drain = Drain(nodes=("node-1",), from_ms=HOUR_MS, until_ms=3 * HOUR_MS, maintenance=True)
    faults = Faults(
        node_mtbf_ms=9 * HOUR_MS, accelerator_mtbf_ms=30 * HOUR_MS, repair_ms=HOUR_MS // 3, drains=[drain]
    )
    jobs = [job(number, *row) for number, row in enumerate(rows)]
    trace = Trace(name="t", jobs=sorted(jobs, key=lambda one: (one.submit_ms, one.row)))
    how = Replay(
        policy=POLICIES[policy],
        nodes=NODES,
        preemptible=preemptible,
        costs=Costs(restart_ms=RESTART_MS, checkpoint_ms=600_000),
        faults=faults,
        prices=book,
        seed=seed,
    )
    result = replay(trace, how)
    bill = bill_of(result, book, restart_ms=RESTART_MS, preemptible=preemptible)
    assert bill_faults(result, bill, book, restart_ms=RESTART_MS, preemptible=preemptible) == ()
    held_ams = int(((result.runs.end_ms - result.runs.start_ms) * result.runs.accelerators).sum())
    assert bill.billed_ams + bill.waived_ams == held_ams
    assert not preemptible or {line.tier for line in bill.lines} <= {Tier.SPOT}


def test_the_check_finds_a_bill_that_is_wrong(tmp_path: Path) -> None:
    book = prices(tmp_path)
    result = run(job(0, 0, HOUR_MS, 4), job(2, 0, HOUR_MS, 4))
    bill = bill_of(result, book, restart_ms=RESTART_MS)
    short = Bill(currency="CNY", lines=[replace(bill.lines[0], billed_ams=bill.lines[0].billed_ams - 1)])
    assert any("the bill has" in fault for fault in bill_faults(result, short, book, restart_ms=RESTART_MS))
    twice = replace(result, placements=replace(result.placements, node=result.placements.node * 0))
    assert bill_faults(twice, bill, book, restart_ms=RESTART_MS) != ()


def test_figures_files_and_page_have_the_money(tmp_path: Path) -> None:
    book = prices(tmp_path)
    results = [run(job(0, 0, HOUR_MS, 4), job(1, 0, HOUR_MS, 2), policy=name) for name in ("fifo", "las")]
    bills = [bill_of(result, book, restart_ms=RESTART_MS) for result in results]
    told = as_json(summarise(results[0], bills[0]))
    assert (told["currency"], told["revenue_micros"], told["waived_accelerator_hours"]) == ("CNY", 60_000_000, 0.0)
    assert len(told["bill"]) == 2  # type: ignore[arg-type]
    assert "currency" not in as_json(summarise(results[0]))
    page = write_report(results, tmp_path / "out", bills=bills).read_text()
    assert "Revenue in CNY" in page
    assert "accelerator, on-demand" in page
    assert "Revenue in" not in write_report(results, tmp_path / "plain").read_text()
    table = pq.read_table(tmp_path / "out" / "bill-fifo.parquet").to_pydict()
    assert table["tenant"] == ["a", "b"]
    assert sum(table["revenue_micros"]) == 60_000_000
    assert table["currency"] == ["CNY", "CNY"]
    assert not list((tmp_path / "plain").glob("bill-*"))


def test_what_has_no_price_is_told_before_anything_runs(tmp_path: Path) -> None:
    trace = Trace(name="t", jobs=[job(0, 0, 1, 1, Tier.SPOT)])
    book = prices(tmp_path, BOOK.replace('spot = "4.000001"\n', ""))
    with pytest.raises(ValidationError, match="accelerator/spot"):
        book.check(trace, [PLAIN_TYPE], preemptible=False)
    prices(tmp_path).check(trace, [PLAIN_TYPE], preemptible=False)
    early = prices(tmp_path, begins_ms=0)
    with pytest.raises(ValidationError, match="begin later"):
        early.check(trace, [PLAIN_TYPE], preemptible=True)
    with pytest.raises(InvariantError, match="what runs has a price"):
        bill_of(run(job(0, 0, 1, 1)), early, restart_ms=0)


@pytest.mark.parametrize(
    ("text", "options", "field"),
    [
        (BOOK + BOOK.replace('"one"', '"eur"').replace("CNY", "EUR"), {}, "currency"),
        (BOOK, {"currency": "EUR"}, "currency"),
        ("nonsense", {}, "prices.toml: price book"),
        ('[[node]]\ntype = "a10"\n', {}, "prices.toml: node"),
    ],
)
def test_a_wrong_price_file_is_named(tmp_path: Path, text: str, options: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        prices(tmp_path, text, **options)
    assert caught.value.field == field


def test_a_file_with_several_currencies_gives_the_one_asked_for(tmp_path: Path) -> None:
    both = BOOK + BOOK.replace('"one"', '"eur"').replace("CNY", "EUR").replace("10.00", "1.50")
    book = prices(tmp_path, both, currency="EUR")
    assert book.currency == "EUR"
    assert bill_of(run(job(0, 0, HOUR_MS, 4)), book, restart_ms=0).revenue_micros == 6_000_000


WEEK = """
[[price_book]]
id = "week"
currency = "CNY"
effective = 2026-03-02T00:00:00Z
[price_book.prices.accelerator.on-demand]
price = "10"
hours = [{ days = "mon", from = 1, to = 2, price = "30" }]
bands = [{ from_hours = 6, percent = "50" }]
[[price_book.discount]]
tenant = "b"
percent = "20"
"""


def test_hours_of_the_week_bands_and_discounts_count_as_on_the_floor(tmp_path: Path) -> None:
    book = prices(tmp_path, WEEK)
    # a: 2 accelerators from 00:00 to 04:00 at 10, 30, 10, and beyond 6 hours of use at half of 10.
    result = run(job(0, 0, 4 * HOUR_MS, 2))
    bill = bill_of(result, book, restart_ms=RESTART_MS)
    assert bill.revenue_micros == 2 * (10 + 30 + 10 + 5) * 1_000_000
    assert bill_faults(result, bill, book, restart_ms=RESTART_MS) == ()
    # b pays a fifth less than the list; half an hour of the dear one is half of its price.
    half = bill_of(run(job(1, HOUR_MS, HOUR_MS // 2, 1), job(2, 0, 1, 1)), book, restart_ms=RESTART_MS)
    assert {line.tenant: line.revenue_micros for line in half.lines}["b"] == 12_000_000


def test_a_run_keeps_its_book_for_as_long_as_its_walltime(tmp_path: Path) -> None:
    book = prices(tmp_path, BOOK + LATER, begins_ms=1_772_409_600_000)
    runs = [replace(job(0, 0, 4 * HOUR_MS, 1), walltime_ms=walltime) for walltime in (HOUR_MS, 4 * HOUR_MS, None)]
    # The later book takes effect after two hours; a walltime of one hour promised the first price for one.
    paid = [bill_of(run(one), book, restart_ms=RESTART_MS).revenue_micros // 1_000_000 for one in runs]
    assert paid == [10 + 10 + 20 + 20, 40, 60]
