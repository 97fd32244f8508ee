"""A report's figures against a replay small enough to work out by hand, and its files as their readers find them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from rich.console import Console

from petahour.cli.replay_notes import notes_of
from petahour.scheduler.policies import FIFO, LAS, SJF
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.replay import Replay, replay
from petahour.simulator.report import as_json, comparison, summarise, write_per_job, write_report
from petahour.simulator.report.cases import cases_of
from petahour.simulator.report.measures import MEASURES, fixed_unit
from petahour.simulator.report.plots import plot_nodes, plot_waiting
from petahour.simulator.report.summary import FIRST_KEYS, excluded_by_reason
from petahour.simulator.result import NEVER, Result, left_waiting
from petahour.simulator.trace import Exclusion, Trace, TraceJob

# Two nodes of four. Submission, run time in s, accelerators, tenant.
ROWS = [(0, 100, 4, "a"), (0, 60, 8, "a"), (10, 20, 2, "<b>"), (10, 30, 2, "<b>"), (20, 5, 40, "a")]


@pytest.fixture(scope="module")
def results() -> list[Result]:
    jobs = [
        TraceJob(
            row=row,
            id=str(row),
            tenant=tenant,
            submit_ms=submit * 1000,
            duration_ms=run * 1000 + (500 if row == 3 else 0),
            accelerators=accelerators,
        )
        for row, (submit, run, accelerators, tenant) in enumerate(ROWS)
    ]
    trace = Trace(name="tiny & odd", jobs=jobs, excluded=[Exclusion(line=9, reason="<asks for nothing>")])
    return [replay(trace, Replay(policy=policy, nodes=plain_nodes(2, 4))) for policy in (FIFO, SJF)]


def test_the_figures_are_those_worked_out_by_hand(results: list[Result]) -> None:
    # In turn: the first 0-100, the gang of two nodes 100-160, then both small ones on one node 160-180 and 160-190.5.
    told = summarise(results[0])
    assert (told.jobs, told.impossible, told.unfinished, told.excluded) == (4, 1, 0, 1)
    assert told.mean_completion_s == pytest.approx((100 + 160 + 170 + 180.5) / 4)
    assert told.mean_wait_s == pytest.approx((0 + 100 + 150 + 150) / 4)
    assert told.median_wait_s == 125
    assert told.makespan_s == 190.5
    busy = 4 * 100 + 8 * 60 + 2 * 20 + 2 * 30.5
    assert told.occupancy == pytest.approx(busy / (8 * 190.5))
    # Partly held nodes: from 180 on two of four are free on a node, until 190.5.
    assert told.fragmentation == pytest.approx(2 * 10.5 / (8 * 190.5 - busy))
    assert told.mean_slowdown == pytest.approx((1 + 160 / 60 + 170 / 20 + 180.5 / 30.5) / 4)
    assert (told.preemptions, told.lost_accelerator_hours) == (0, 0.0)
    by_name = {tenant.tenant: tenant for tenant in told.tenants}
    assert by_name["a"].service_accelerator_hours == pytest.approx((400 + 480) / 3600)
    # Of eight accelerators half are a tenant's own: four run alone at once, eight in two turns.
    rho_a, rho_b = (100 / 100 + 160 / 120) / 2, (170 / 20 + 180.5 / 30.5) / 2
    assert by_name["a"].finish_time_ratio == pytest.approx(rho_a)
    assert by_name["<b>"].finish_time_ratio == pytest.approx(rho_b)
    assert told.jain == pytest.approx((rho_a + rho_b) ** 2 / (2 * (rho_a**2 + rho_b**2)))


def test_the_first_keys_of_the_json_are_promised(results: list[Result]) -> None:
    told = as_json(summarise(results[0]))
    assert list(told)[: len(FIRST_KEYS)] == list(FIRST_KEYS)
    assert "NaN" not in json.dumps(told)


def test_nothing_finished_is_null_and_not_zero() -> None:
    jobs = [TraceJob(row=0, id="0", tenant="a", submit_ms=0, duration_ms=5, accelerators=99)]
    told = as_json(summarise(replay(Trace(name="none", jobs=jobs), Replay(policy=FIFO, nodes=plain_nodes(1, 1)))))
    assert (told["jobs"], told["mean_completion_s"], told["makespan_s"]) == (0, None, None)


def test_the_terminal_gets_one_line_a_policy(results: list[Result]) -> None:
    console = Console(width=400, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(comparison([summarise(result) for result in results]))
    console.file.close()
    text = console.export_text()
    assert [line.split()[0] for line in text.splitlines() if line.split()[0] in ("fifo", "sjf")] == ["fifo", "sjf"]


def test_times_per_job_are_exact_and_in_the_order_of_the_file(results: list[Result], tmp_path: Path) -> None:
    write_per_job(results[0], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "row,submit_s,start_s,end_s,accelerators",
        "0,0,0,100,4",
        "1,0,100,160,8",
        "2,10,160,180,2",
        "3,10,160,190.5,2",
        "4,20,,,40",
    ]


def test_the_page_needs_nothing_else_and_escapes_what_the_trace_says(results: list[Result], tmp_path: Path) -> None:
    page = write_report(results, tmp_path / "out").read_text()
    assert not re.findall(r"(?:src|href)=[\"']?(?!#)[a-z]+:", page)
    assert "http" not in page
    assert "@import" not in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "&lt;asks for nothing&gt;" in page
    assert "tiny &amp; odd" in page
    assert page.count("<svg") == 4
    for policy in ("fifo", "sjf"):
        jobs = parquet.read_table(tmp_path / "out" / f"jobs-{policy}.parquet")
        assert jobs.num_rows == len(ROWS)
        runs = parquet.read_table(tmp_path / "out" / f"runs-{policy}.parquet")
        assert runs.num_rows == 4
    assert set(json.loads((tmp_path / "out" / "summary.json").read_text())) == {"fifo", "sjf"}
    assert {path.stem for path in (tmp_path / "out" / "plots").glob("*.svg")} == {
        "waiting",
        "occupancy",
        "service",
        "nodes",
    }


def test_the_names_of_nodes_are_not_cut_off() -> None:
    jobs = [TraceJob(row=0, id="0", tenant="a", submit_ms=0, duration_ms=5000, accelerators=4)]
    nodes = [replace(node, name=f"a100-80g-sxm-{place}") for place, node in enumerate(plain_nodes(2, 4))]
    svg = plot_nodes(cases_of([replay(Trace(name="one", jobs=jobs), Replay(policy=FIFO, nodes=nodes))])).svg
    (ends_at,) = re.findall(r'text-anchor: end[^>]* x="([\d.]+)"[^>]*>a100-80g-sxm-1<', svg)
    assert float(ends_at) > 0.96 * 72  # as wide as that name is in this font, in points


def test_waits_for_a_price_are_hours_of_jobs_and_not_of_accelerators(results: list[Result]) -> None:
    units = {measure.field: fixed_unit(measure, [summarise(results[0])]) for measure in MEASURES}
    assert units["held_by_price_hours"] == "h"
    assert units["lost_accelerator_hours"] == units["waived_accelerator_hours"] == "acc. h"


def test_a_job_that_ran_and_never_ended_is_told(results: list[Result]) -> None:
    fifo = results[0]
    assert left_waiting(fifo) == []
    stopped = fifo.jobs.end_ms.copy()
    stopped[2] = NEVER
    result = replace(fifo, jobs=replace(fifo.jobs, end_ms=stopped))
    assert left_waiting(result) == [2]
    assert any(note.startswith("1 job still waited") for note in notes_of(result.trace, [result]))


def test_many_values_that_break_one_rule_are_one_reason() -> None:
    lines = [Exclusion(line=line, reason=f"duration_ms is negative (got '-{line}')") for line in range(2, 9)]
    lines.append(Exclusion(line=9, reason="tier is no tier (got 'gold')"))
    assert excluded_by_reason(lines) == {"duration_ms is negative": (7, 2), "tier is no tier (got 'gold')": (1, 9)}


def test_the_plot_of_waiting_tells_how_many_start_at_once_where_most_do() -> None:
    rows = [(0, 4), (1, 4), (2, 4), (3, 1)]
    jobs = [
        TraceJob(row=row, id=str(row), tenant="a", submit_ms=at * 1000, duration_ms=9000, accelerators=size)
        for row, (at, size) in enumerate(rows)
    ]
    trace = Trace(name="idle", jobs=jobs)
    found = [replay(trace, Replay(policy=policy, nodes=plain_nodes(3, 4))) for policy in (FIFO, SJF)]
    assert plot_waiting(cases_of(found)).title == "75.0 % of the jobs start at once"
    wider = replay(trace, Replay(policy=SJF, nodes=plain_nodes(4, 4)))
    told = "100.0 % of the jobs start at once under sjf, 75.0 % under fifo"
    assert plot_waiting(cases_of([found[0], wider])).title == told


def test_a_preempted_replay_is_drawn_too(tmp_path: Path) -> None:
    jobs = [
        TraceJob(row=n, id=str(n), tenant="a", submit_ms=n * 60_000, duration_ms=3_600_000, accelerators=4)
        for n in range(6)
    ]
    result = replay(Trace(name="spot", jobs=jobs), Replay(policy=LAS, nodes=plain_nodes(1, 4), preemptible=True))
    told = summarise(result)
    assert told.preemptions > 0
    assert told.lost_accelerator_hours == pytest.approx(told.preemptions * 62 * 4 / 3600)
    assert "las" in write_report([result], tmp_path).read_text()
