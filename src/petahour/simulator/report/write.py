"""The report's files in one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from petahour.simulator.money.bill import Bill
from petahour.simulator.report.cases import cases_of
from petahour.simulator.report.summary import as_json, summary_of
from petahour.simulator.result import Result


def write_report(results: Sequence[Result], directory: Path, *, bills: Sequence[Bill | None] = ()) -> Path:
    """Write ``report.html``, ``summary.json``, ``plots/*.svg`` and Parquet files of jobs and runs; the page's path.

    Where there are bills, one per result, also Parquet files of their lines. Raises OSError where a file cannot be
    written.
    """
    from petahour.simulator.report.page import page_of
    from petahour.simulator.report.parquet import write_bill, write_jobs, write_runs
    from petahour.simulator.report.plots import PLOTS

    cases = cases_of(results, bills)
    summaries = [summary_of(case) for case in cases]
    (directory / "plots").mkdir(parents=True, exist_ok=True)
    plots = [plot(cases) for plot in PLOTS]
    for plot in plots:
        (directory / "plots" / f"{plot.name}.svg").write_text(plot.svg, encoding="utf-8")
    for case in cases:
        write_jobs(case, directory / f"jobs-{case.label}.parquet")
        write_runs(case, directory / f"runs-{case.label}.parquet")
        if case.bill is not None:
            write_bill(case.bill, case, directory / f"bill-{case.label}.parquet")
    figures = {summary.policy: as_json(summary) for summary in summaries}
    (directory / "summary.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")
    page = directory / "report.html"
    page.write_text(page_of(cases, summaries, plots), encoding="utf-8")
    return page
