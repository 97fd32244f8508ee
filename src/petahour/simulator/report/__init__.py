"""Reports: what a replay did, as figures, tables, plots, files and one page."""

from __future__ import annotations

from petahour.simulator.report.per_job import write_per_job
from petahour.simulator.report.summary import Summary, TenantSummary, as_json, summarise
from petahour.simulator.report.table import comparison
from petahour.simulator.report.write import write_report

__all__ = ["Summary", "TenantSummary", "as_json", "comparison", "summarise", "write_per_job", "write_report"]
