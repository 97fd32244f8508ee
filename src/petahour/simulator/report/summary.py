"""Summaries: a replay in figures. Times are seconds; NaN stands for the figure of nothing (no job finished)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from petahour.model.money import MICROS
from petahour.model.time import HOUR_MS, SECOND_MS
from petahour.simulator.money.bill import Bill
from petahour.simulator.report.cases import Case, case_of
from petahour.simulator.report.levels import busy_time_ms, capacity_time_ms, stranded_time_ms
from petahour.simulator.result import Outcome, Result
from petahour.simulator.trace import Exclusion

SHORT_MS = 10 * SECOND_MS  # jobs shorter than this count as this long in ratios, or they would drown all others
FIRST_KEYS = (
    "policy",
    "jobs",
    "mean_completion_s",
    "mean_wait_s",
    "p99_wait_s",
    "makespan_s",
    "occupancy",
    "preemptions",
    "wall_s",
    "jobs_per_s",
)


MONEY_KEYS = ("revenue_micros", "billed_accelerator_hours", "waived_accelerator_hours")
_VALUE = " (got "  # in a reason, between the rule and what the line says
_MOST_VALUES = 3  # that are told of one rule


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantSummary:
    """One tenant's part. ``jobs`` finished; times and the ratio are means over them.

    ``finish_time_ratio`` is rho of Themis (NSDI 2020): a job's completion time under sharing over the one on a
    share of its own, 1/N of the fleet for each of the trace's N tenants. Alone there, a job of ``a`` accelerators
    on a fleet of ``C`` would start at once and take ``duration x max(1, a x N / C)``: a gang wider than the
    share runs on the share's accelerators in turns. Both times count as 10 s at least. A tenant's own crowd is no
    part of the second time, so compare a tenant with itself under another policy.
    """

    tenant: str
    jobs: int
    service_accelerator_hours: float
    mean_completion_s: float
    mean_wait_s: float
    finish_time_ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One replay in figures.

    - ``jobs`` finished; ``impossible`` on this fleet; ``unfinished``: all others. Times are over the finished ones.
    - completion: submission to end. wait: submission to the first start. queued: all time that the job did not run,
      waits after preemptions included. Percentiles are interpolated linearly.
    - slowdown: completion over duration, a duration counting as 10 s at least and the quotient as 1 at least.
    - ``makespan_s``: first submission to the end of the last run. Over this span:
    - ``occupancy``: accelerator time held by runs over accelerator time in service;
    - ``fragmentation``: of the accelerator time that was free, the part on nodes that were held in part, that is
      free but of no use to a gang of whole nodes. Only whole free nodes: 0; no whole free node ever: 1.
    - ``failures``: runs whose node failed.
    - ``lost_accelerator_hours``: run and borne no fruit (restarts, work repeated since the last checkpoint).
    - ``jain``: (sum x)^2 / (n sum x^2) over the tenants' finish-time ratios: 1 when all are equal, 1/n at worst.
    - ``bill``: what the runs cost, where there were prices; ``revenue`` and the hours billed and waived are its sums.
    - ``wall_s``: real time the replay took. ``jobs_per_s``: finished jobs per second of it.
    """

    policy: str
    trace: str
    seed: int
    nodes: int
    accelerators: int
    jobs: int
    impossible: int
    unfinished: int
    excluded: int
    mean_completion_s: float
    median_completion_s: float
    p90_completion_s: float
    p99_completion_s: float
    mean_wait_s: float
    median_wait_s: float
    p90_wait_s: float
    p99_wait_s: float
    mean_queued_s: float
    p99_queued_s: float
    mean_slowdown: float
    p99_slowdown: float
    makespan_s: float
    occupancy: float
    fragmentation: float
    preemptions: int
    failures: int
    lost_accelerator_hours: float
    jain: float
    wall_s: float
    jobs_per_s: float
    tenants: tuple[TenantSummary, ...]
    bill: Bill | None = None

    @property
    def revenue_micros(self) -> int | None:
        return None if self.bill is None else self.bill.revenue_micros

    @property
    def revenue(self) -> float:
        """In units of the currency; for reading and comparing only."""
        return nan if self.bill is None else self.bill.revenue_micros / MICROS

    @property
    def held_by_price_hours(self) -> float:
        return nan if self.bill is None or self.bill.held is None else self.bill.held.hours

    @property
    def billed_accelerator_hours(self) -> float:
        return nan if self.bill is None else self.bill.billed_ams / HOUR_MS

    @property
    def waived_accelerator_hours(self) -> float:
        return nan if self.bill is None else self.bill.waived_ams / HOUR_MS


def summarise(result: Result, bill: Bill | None = None) -> Summary:
    """The replay in figures; tenants by service, the most served first."""
    return summary_of(case_of(result, bill=bill))


def summary_of(case: Case) -> Summary:
    """As ``summarise``, under the case's label."""
    result, asked, jobs = case.result, case.asked, case.result.jobs
    done = np.flatnonzero(jobs.end_ms >= 0)
    completion_ms = (jobs.end_ms - asked.submit_ms)[done]
    wait_ms = (jobs.start_ms - asked.submit_ms)[done]
    queued_ms = completion_ms - jobs.ran_ms[done]
    slowdown = np.maximum(completion_ms / np.maximum(asked.duration_ms[done], SHORT_MS), 1.0)
    busy_ms = busy_time_ms(result)
    service_ms = capacity_time_ms(result.capacity, case.first_ms, case.last_ms)
    tenants = _tenants(case, done)
    return Summary(
        policy=case.label,
        trace=result.trace.name,
        seed=result.seed,
        nodes=len(result.nodes),
        accelerators=sum(node.accelerators for node in result.nodes),
        jobs=len(done),
        impossible=len(result.impossible),
        unfinished=len(jobs.end_ms) - len(done) - len(result.impossible),
        excluded=len(result.trace.excluded),
        mean_completion_s=_mean(completion_ms) / SECOND_MS,
        median_completion_s=_percentile(completion_ms, 50) / SECOND_MS,
        p90_completion_s=_percentile(completion_ms, 90) / SECOND_MS,
        p99_completion_s=_percentile(completion_ms, 99) / SECOND_MS,
        mean_wait_s=_mean(wait_ms) / SECOND_MS,
        median_wait_s=_percentile(wait_ms, 50) / SECOND_MS,
        p90_wait_s=_percentile(wait_ms, 90) / SECOND_MS,
        p99_wait_s=_percentile(wait_ms, 99) / SECOND_MS,
        mean_queued_s=_mean(queued_ms) / SECOND_MS,
        p99_queued_s=_percentile(queued_ms, 99) / SECOND_MS,
        mean_slowdown=_mean(slowdown),
        p99_slowdown=_percentile(slowdown, 99),
        makespan_s=(case.last_ms - case.first_ms) / SECOND_MS if len(result.runs.job) else nan,
        occupancy=_ratio(busy_ms, service_ms),
        fragmentation=_fragmentation(result, service_ms - busy_ms),
        preemptions=int(jobs.preemptions.sum()),
        failures=int((result.runs.outcome == Outcome.FAILED).sum()),
        lost_accelerator_hours=float((jobs.lost_ms * asked.accelerators).sum()) / HOUR_MS,
        jain=jain_index(np.array([tenant.finish_time_ratio for tenant in tenants])),
        wall_s=result.wall_s,
        jobs_per_s=_ratio(len(done), result.wall_s),
        tenants=tenants,
        bill=case.bill,
    )


def as_json(summary: Summary) -> dict[str, object]:
    """The summary as JSON values: the first keys as ``FIRST_KEYS`` has them, then the rest; None where NaN.

    Money is there where there were prices: sums in micro-units, the lines of the bill, and each hour's spot prices
    where any were posted.
    """
    others = [field.name for field in fields(Summary) if field.name not in (*FIRST_KEYS, "tenants", "bill")]
    values = {name: _json(getattr(summary, name)) for name in (*FIRST_KEYS, *others)}
    if summary.bill is not None:
        values["currency"] = summary.bill.currency
        values |= {name: _json(getattr(summary, name)) for name in MONEY_KEYS}
        values["bill"] = [asdict(line) for line in summary.bill.lines]
        if summary.bill.held is not None:
            values["held_by_price"] = asdict(summary.bill.held)
        if summary.bill.posted.prices:
            values["spot_prices_micros"] = {name: list(made) for name, made in summary.bill.posted.prices.items()}
    values["tenants"] = [
        {field.name: _json(getattr(tenant, field.name)) for field in fields(TenantSummary)}
        for tenant in summary.tenants
    ]
    return values


def jain_index(values: NDArray[np.float64]) -> float:
    """Jain's index of the finite values: 1 when all are equal, 1/n when one has everything; NaN of none."""
    known = values[np.isfinite(values)]
    return _ratio(float(known.sum()) ** 2, len(known) * float((known**2).sum()))


def excluded_by_reason(excluded: Sequence[Exclusion]) -> Mapping[str, tuple[int, int]]:
    """Each reason for which lines are no jobs: (how many, the first such line), the most frequent first.

    Where a rule is broken by many values, they are left out: one reason stands for all of them.
    """
    values: dict[str, set[str]] = {}
    for item in excluded:
        rule, _, value = item.reason.partition(_VALUE)
        values.setdefault(rule, set()).add(value)
    counts: dict[str, tuple[int, int]] = {}
    for item in excluded:
        rule = item.reason.partition(_VALUE)[0]
        reason = item.reason if len(values[rule]) <= _MOST_VALUES else rule
        count, first = counts.get(reason, (0, item.line))
        counts[reason] = (count + 1, min(first, item.line))
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1][0], entry[1][1])))


def _fragmentation(result: Result, free_ms: int) -> float:
    """A failed accelerator beside a run still looks free, hence the bound."""
    return min(1.0, stranded_time_ms(result) / free_ms) if free_ms > 0 else nan


def _tenants(case: Case, done: NDArray[np.int64]) -> tuple[TenantSummary, ...]:
    result, asked, jobs = case.result, case.asked, case.result.jobs
    count = len(asked.tenants)
    fleet = sum(node.accelerators for node in result.nodes)
    completion_ms = (jobs.end_ms - asked.submit_ms)[done]
    alone = np.maximum(1.0, asked.accelerators[done] * count / max(fleet, 1))
    alone_ms = np.maximum(asked.duration_ms[done], SHORT_MS) * alone
    tenant = asked.tenant[done]
    finished = np.bincount(tenant, minlength=count)
    held_ms = (result.runs.end_ms - result.runs.start_ms) * result.runs.accelerators.astype(np.int64)
    service_ms = np.bincount(asked.tenant[result.runs.job], held_ms, minlength=count)

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(tenant, values, minlength=count)
        return np.where(finished > 0, sums / np.maximum(finished, 1), nan)

    completion_s = means(completion_ms / SECOND_MS)
    wait_s = means((jobs.start_ms - asked.submit_ms)[done] / SECOND_MS)
    ratio = means(np.maximum(completion_ms, SHORT_MS) / alone_ms)
    return tuple(
        TenantSummary(
            tenant=asked.tenants[number],
            jobs=int(finished[number]),
            service_accelerator_hours=float(service_ms[number]) / HOUR_MS,
            mean_completion_s=float(completion_s[number]),
            mean_wait_s=float(wait_s[number]),
            finish_time_ratio=float(ratio[number]),
        )
        for number in np.argsort(-service_ms, kind="stable")
    )


def _mean(values: NDArray[np.int64] | NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else nan


def _percentile(values: NDArray[np.int64] | NDArray[np.float64], percent: int) -> float:
    return float(np.percentile(values, percent)) if values.size else nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else nan


def _json(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value
