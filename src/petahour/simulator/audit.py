"""Audit: what must hold of a replay at every instant, recomputed from its runs and placements alone.

It shares nothing with the scheduler or the replay but their result: no index, no count of what is free.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petahour.model.jobs import Tier
from petahour.simulator.faults import WHOLE, Cause
from petahour.simulator.finding import MOST, Finding, told
from petahour.simulator.promise_audit import kept_reservations
from petahour.simulator.result import NEVER, Outage, Outcome, Result

LAST_MS = 2**62  # after every instant


def audit(result: Result) -> list[Finding]:
    """All findings, none when everything holds."""
    return [
        *_gangs(result),
        *_capacity(result),
        *_outages(result),
        *_windows(result),
        *kept_reservations(result),
        *_lives(result),
    ]


def _gangs(result: Result) -> list[Finding]:
    """A run holds all that its job asked for, on each node once."""
    runs, placed = result.runs, result.placements
    asked = np.array([job.accelerators for job in result.trace.jobs], np.int64)
    held = np.bincount(placed.run, placed.accelerators, minlength=len(runs.job)).astype(np.int64)
    findings = told(
        "a gang is whole or absent",
        np.flatnonzero((held != runs.accelerators) | (held != asked[runs.job])),
        lambda run: f"run {run} of job {_name(result, run)} holds {held[run]} of {asked[runs.job[run]]} accelerators",
    )
    pairs = placed.run * len(result.nodes) + placed.node
    return findings + told(
        "a gang lies on each of its nodes once",
        np.flatnonzero(np.bincount(np.unique(pairs, return_inverse=True)[1]) > 1),
        lambda pair: f"placement {pair} is there twice",
    )


def _capacity(result: Result) -> list[Finding]:
    """No node gives more than it has, failed accelerators less, and all together no more than is in service."""
    runs, placed = result.runs, result.placements
    lasting = runs.end_ms > runs.start_ms  # a run of no length holds nothing between instants
    kept = lasting[placed.run]
    out = np.array(
        [(one.node, one.from_ms, _until(one)) for one in result.outages if one.accelerator != WHOLE], np.int64
    ).reshape(-1, 3)
    node = np.concatenate((placed.node[kept], out[:, 0]))
    count = np.concatenate((placed.accelerators[kept].astype(np.int64), np.ones(len(out), np.int64)))
    run = placed.run[kept]
    start_ms = np.concatenate((runs.start_ms[run], out[:, 1]))
    end_ms = np.concatenate((runs.end_ms[run], out[:, 2]))
    at_ms = np.concatenate((end_ms, start_ms))
    change = np.concatenate((-count, count))
    order = np.lexsort((change, at_ms, np.concatenate((node, node))))
    nodes = np.concatenate((node, node))[order]
    # The sum over one node after another comes back to zero at the end of each.
    level = np.cumsum(change[order])
    sizes = np.array([item.accelerators for item in result.nodes], np.int64)
    findings = told(
        "no node gives more accelerators than it has",
        np.flatnonzero((level > sizes[nodes]) | (level < 0)) if len(level) else level,
        lambda step: f"{result.nodes[nodes[step]].name} gives {level[step]} at {at_ms[order][step]} ms",
    )
    wide = runs.accelerators[lasting].astype(np.int64)
    steps = list(dict(result.capacity).items())  # of several at one instant the last
    starts, ends = np.sort(runs.start_ms[lasting]), np.sort(runs.end_ms[lasting])
    up = np.concatenate(([0], np.cumsum(wide[np.argsort(runs.start_ms[lasting], kind="stable")])))
    down = np.concatenate(([0], np.cumsum(wide[np.argsort(runs.end_ms[lasting], kind="stable")])))
    instants = np.array([at for at, _ in steps], np.int64)
    held = up[np.searchsorted(starts, instants, "right")] - down[np.searchsorted(ends, instants, "right")]
    return findings + told(
        "what is held is in service",
        np.flatnonzero(held > np.array([capacity for _, capacity in steps], np.int64)),
        lambda step: f"{held[step]} accelerators are held of {steps[step][1]} at {steps[step][0]} ms",
    )


def _outages(result: Result) -> list[Finding]:
    """Nothing runs on a node that is down, nothing starts on one that is drained, and only faults break runs."""
    runs, placed = result.runs, result.placements
    by_node: dict[int, list[Outage]] = {}
    for outage in result.outages:
        by_node.setdefault(outage.node, []).append(outage)
    order = np.argsort(placed.node, kind="stable")
    numbers = np.arange(len(result.nodes) + 1)
    edge = np.searchsorted(placed.node[order], numbers)
    findings: list[Finding] = []
    broken = np.zeros(len(runs.job), np.bool_)
    for node, outages in by_node.items():
        mine = placed.run[order[edge[node] : edge[node + 1]]]
        for outage in outages:
            findings += _during(result, outage, mine)
            if outage.cause in (Cause.NODE, Cause.ACCELERATOR):
                broken[mine[runs.end_ms[mine] == outage.from_ms]] = True
    return findings[:MOST] + told(
        "a run fails only with a node or an accelerator that it holds",
        np.flatnonzero((runs.outcome == Outcome.FAILED) & ~broken),
        lambda run: f"run {run} of job {_name(result, run)} failed at {runs.end_ms[run]} ms",
    )


def _windows(result: Result) -> list[Finding]:
    """What is not spot and told its walltime starts nowhere where maintenance would stop it."""
    windows = [one for one in result.outages if one.cause is Cause.MAINTENANCE]
    if not windows or result.preemptible:
        return []
    runs, placed, jobs = result.runs, result.placements, result.trace.jobs
    walltime_ms = np.array(
        [-1 if job.walltime_ms is None or job.tier is Tier.SPOT else job.walltime_ms for job in jobs], np.int64
    )[runs.job]
    findings: list[Finding] = []
    for window in windows:
        mine = placed.run[placed.node == window.node]
        start_ms = runs.start_ms[mine]
        late = (walltime_ms[mine] >= 0) & (start_ms + walltime_ms[mine] > window.from_ms)
        findings += told(
            "nothing starts that would run into maintenance",
            mine[late & (start_ms < window.from_ms)],
            lambda run: f"run {run} of job {_name(result, run)} starts at {runs.start_ms[run]} ms",
        )
    return findings[:MOST]


def _during(result: Result, outage: Outage, mine: NDArray[np.int64]) -> list[Finding]:
    """The runs of a node that one outage does not allow."""
    runs, until_ms = result.runs, _until(outage)
    start_ms, end_ms = runs.start_ms[mine], runs.end_ms[mine]
    if outage.cause is Cause.ACCELERATOR:
        return []
    if outage.cause is Cause.DRAIN:
        rule, wrong = "nothing starts on a drained node", (start_ms >= outage.from_ms) & (start_ms < until_ms)
    else:
        rule = "nothing runs on a node that is down"
        wrong = (start_ms < until_ms) & (end_ms > outage.from_ms)
    name = result.nodes[outage.node].name
    return told(rule, mine[wrong], lambda run: f"run {run} of job {_name(result, run)} on {name}")


def _until(outage: Outage) -> int:
    return LAST_MS if outage.until_ms == NEVER else outage.until_ms


def _lives(result: Result) -> list[Finding]:
    """A job runs after it came, once at a time, ends once, and has the times of its runs."""
    runs, jobs = result.runs, result.jobs
    submit = np.array([job.submit_ms for job in result.trace.jobs], np.int64)
    findings = told(
        "nothing runs before it was submitted, or backwards",
        np.flatnonzero((runs.start_ms < submit[runs.job]) | (runs.end_ms < runs.start_ms)),
        lambda run: f"run {run} of job {_name(result, run)} from {runs.start_ms[run]} to {runs.end_ms[run]} ms",
    )
    order = np.lexsort((runs.start_ms, runs.job))
    same = runs.job[order][1:] == runs.job[order][:-1]
    early = runs.start_ms[order][1:] < runs.end_ms[order][:-1]
    findings += told(
        "a job runs once at a time",
        order[1:][same & early],
        lambda run: f"run {run} of job {_name(result, run)} begins before the one before it ended",
    )
    count = len(result.trace.jobs)
    finished = np.bincount(runs.job[runs.outcome == Outcome.FINISHED], minlength=count)
    ran_ms = np.bincount(runs.job, runs.end_ms - runs.start_ms, minlength=count).astype(np.int64)
    stopped = np.bincount(runs.job[runs.outcome == Outcome.PREEMPTED], minlength=count)
    wrong = (finished != (jobs.end_ms != NEVER)) | (ran_ms != jobs.ran_ms) | (stopped != jobs.preemptions)
    return findings + told(
        "a job's figures are those of its runs",
        np.flatnonzero(wrong),
        lambda job: f"job {result.trace.jobs[job].id} finished {finished[job]} times and ran {ran_ms[job]} ms",
    )


def _name(result: Result, run: int) -> str:
    return str(result.trace.jobs[result.runs.job[run]].id)
