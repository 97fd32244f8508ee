"""Cases: results beside their trace's jobs as columns, so that every figure is a few array operations."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petahour.model.errors import ValidationError
from petahour.simulator.money.bill import Bill
from petahour.simulator.result import Result
from petahour.simulator.trace import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the jobs asked for, one entry per job in the order of ``trace.jobs``. ``tenant`` indexes ``tenants``."""

    row: NDArray[np.int64]
    submit_ms: NDArray[np.int64]
    duration_ms: NDArray[np.int64]
    accelerators: NDArray[np.int64]
    tenant: NDArray[np.int64]
    tenants: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One result, told apart from the others of a report by its ``label``: the policy, and more where that is shared.

    ``first_ms`` is the trace's first submission, ``last_ms`` the end of the last run (``first_ms`` when none ran).
    ``bill`` is what it cost, where there were prices.
    """

    label: str
    result: Result
    asked: Asked
    first_ms: int
    last_ms: int
    bill: Bill | None = None


def asked_by(trace: Trace) -> Asked:
    """The trace's jobs as columns, read in one pass."""
    row, submit, duration, accelerators, tenant = (array("q") for _ in range(5))
    numbers: dict[str, int] = {}
    for job in trace.jobs:
        row.append(job.row)
        submit.append(job.submit_ms)
        duration.append(job.duration_ms)
        accelerators.append(job.accelerators)
        tenant.append(numbers.setdefault(job.tenant, len(numbers)))
    return Asked(
        row=np.array(row, np.int64),
        submit_ms=np.array(submit, np.int64),
        duration_ms=np.array(duration, np.int64),
        accelerators=np.array(accelerators, np.int64),
        tenant=np.array(tenant, np.int64),
        tenants=tuple(numbers),
    )


def case_of(
    result: Result, *, label: str | None = None, asked: Asked | None = None, bill: Bill | None = None
) -> Case:
    """One result as a case. ``asked`` is read from the trace when it is not handed in."""
    asked = asked or asked_by(result.trace)
    first_ms = int(asked.submit_ms.min(initial=np.iinfo(np.int64).max)) if asked.submit_ms.size else 0
    last_ms = int(result.runs.end_ms.max()) if result.runs.end_ms.size else first_ms
    return Case(
        label=label or result.policy, result=result, asked=asked, first_ms=first_ms, last_ms=last_ms, bill=bill
    )


def cases_of(results: Sequence[Result], bills: Sequence[Bill | None] = ()) -> list[Case]:
    """The results as cases with distinct labels; each trace is read once. Raises ValidationError of none.

    ``bills``: one per result, or none at all.
    """
    if not results:
        raise ValidationError(
            field="results", value=None, rule="a report shows one replay or more", remedy="Replay a policy first."
        )
    read: dict[int, Asked] = {}
    cases = []
    for label, result, bill in zip(labels_of(results), results, bills or [None] * len(results), strict=True):
        if id(result.trace) not in read:
            read[id(result.trace)] = asked_by(result.trace)
        cases.append(case_of(result, label=label, asked=read[id(result.trace)], bill=bill))
    return cases


def labels_of(results: Sequence[Result]) -> list[str]:
    """A distinct label per result: the policy; with its seed where policies repeat; with a number where both do."""
    policies = [result.policy for result in results]
    labels = [
        result.policy if policies.count(result.policy) == 1 else f"{result.policy}-seed{result.seed}"
        for result in results
    ]
    taken: set[str] = set()
    for place, label in enumerate(labels):
        number, free = 1, label
        while free in taken or (number > 1 and free in labels):
            number += 1
            free = f"{label}-{number}"
        taken.add(free)
        labels[place] = free
    return labels
