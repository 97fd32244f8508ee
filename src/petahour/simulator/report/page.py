"""The report as one HTML page that needs nothing else: figures, plots, tenants, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.simulator.money.bill import Bill
from petahour.simulator.report.cases import Case
from petahour.simulator.report.measures import columns_of, figure, span_text
from petahour.simulator.report.money import Cells, money_by_tenant, money_by_type
from petahour.simulator.report.plots import Plot
from petahour.simulator.report.summary import Summary, excluded_by_reason

MOST_TENANTS = 20


def page_of(cases: Sequence[Case], summaries: Sequence[Summary], plots: Sequence[Plot]) -> str:
    """The page. What comes from a trace is escaped; nothing is loaded from anywhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("petahour.simulator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = summaries[0]
    return environment.get_template("report.html.jinja").render(
        trace=first.trace,
        summaries=summaries,
        reservations=len(cases[0].result.reservations),
        columns=columns_of(summaries),
        plots=[(plot.title, Markup(plot.inline())) for plot in plots],
        tenants=_tenants(summaries),
        currency=first.bill.currency if first.bill is not None else "",
        money=_money([summary.bill for summary in summaries if summary.bill is not None]),
        more_tenants=max(0, len(first.tenants) - MOST_TENANTS),
        excluded=[
            (reason, count, line)
            for reason, (count, line) in excluded_by_reason(cases[0].result.trace.excluded).items()
        ],
    )


def _money(bills: Sequence[Bill]) -> list[tuple[str, list[tuple[str, list[Cells]]]]]:
    """The tables of money; none without prices."""
    if not bills:
        return []
    return [
        ("type and tier", money_by_type(bills, MOST_TENANTS)),
        ("tenant", money_by_tenant(bills, MOST_TENANTS)),
    ]


def _tenants(summaries: Sequence[Summary]) -> list[tuple[str, int, list[tuple[str, str, str]]]]:
    """Per tenant, the most served first: jobs, and per summary service, completion and finish-time ratio."""
    by_name = [{tenant.tenant: tenant for tenant in summary.tenants} for summary in summaries]
    rows = []
    for tenant in summaries[0].tenants[:MOST_TENANTS]:
        cells = []
        for named in by_name:
            other = named.get(tenant.tenant)
            cells.append(
                ("", "", "")
                if other is None
                else (
                    figure(other.service_accelerator_hours),
                    span_text(other.mean_completion_s),
                    figure(other.finish_time_ratio),
                )
            )
        rows.append((tenant.tenant, tenant.jobs, cells))
    return rows
