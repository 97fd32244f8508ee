"""Jobs and runs as Parquet, for notebooks and databases."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.money.bill import Bill, Line
from petahour.simulator.report.cases import Case
from petahour.simulator.result import NEVER, Outcome

if TYPE_CHECKING:
    import pyarrow as pa


def write_jobs(case: Case, path: Path) -> None:
    """One line per job of the trace, in the trace's order. Instants in ms, null where there was none."""
    import pyarrow as pa

    asked, jobs, trace = case.asked, case.result.jobs, case.result.trace
    impossible = np.zeros(len(asked.row), np.bool_)
    impossible[case.result.impossible] = True
    _write(
        case,
        path,
        {
            "row": pa.array(asked.row),
            "id": pa.array([job.id for job in trace.jobs], pa.string()),
            "name": pa.array([job.name for job in trace.jobs], pa.string()),
            "tenant": _named(asked.tenant, asked.tenants),
            "submit_ms": pa.array(asked.submit_ms),
            "duration_ms": pa.array(asked.duration_ms),
            "accelerators": pa.array(asked.accelerators.astype(np.int32)),
            "start_ms": pa.array(jobs.start_ms, mask=jobs.start_ms == NEVER),
            "end_ms": pa.array(jobs.end_ms, mask=jobs.end_ms == NEVER),
            "ran_ms": pa.array(jobs.ran_ms),
            "lost_ms": pa.array(jobs.lost_ms),
            "preemptions": pa.array(jobs.preemptions),
            "impossible": pa.array(impossible),
        },
    )


def write_runs(case: Case, path: Path) -> None:
    """One line per run, in order of their ends: the job's row, when, on how many accelerators of which nodes."""
    import pyarrow as pa

    result, runs, placements = case.result, case.result.runs, case.result.placements
    offsets = np.append(runs.first_placement, len(placements.run)).astype(np.int32)
    nodes = _named(placements.node, tuple(node.name for node in result.nodes))
    _write(
        case,
        path,
        {
            "row": pa.array(case.asked.row[runs.job]),
            "start_ms": pa.array(runs.start_ms),
            "end_ms": pa.array(runs.end_ms),
            "accelerators": pa.array(runs.accelerators),
            "type": _named(runs.type, result.types),
            "outcome": _named(runs.outcome, tuple(outcome.name.lower() for outcome in Outcome)),
            "nodes": pa.ListArray.from_arrays(pa.array(offsets), nodes),
            "node_accelerators": pa.ListArray.from_arrays(pa.array(offsets), pa.array(placements.accelerators)),
        },
    )


def write_bill(bill: Bill, case: Case, path: Path) -> None:
    """One line per tenant, type and tier that owes something or was waived it; times in accelerator-ms."""
    import pyarrow as pa

    lines = [asdict(line) for line in bill.lines]
    columns = {field.name: pa.array([line[field.name] for line in lines]) for field in fields(Line)}
    _write(case, path, {**columns, "currency": pa.array([bill.currency] * len(lines))})


def _named(
    index: NDArray[np.int64] | NDArray[np.int32] | NDArray[np.int8], names: tuple[str, ...]
) -> pa.DictionaryArray:
    """Names by number, kept once each."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(names, pa.string()))


def _write(case: Case, path: Path, columns: dict[str, pa.Array]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {"policy": case.result.policy, "seed": str(case.result.seed), "trace": case.result.trace.name}
    pq.write_table(pa.table(columns).replace_schema_metadata(facts), path, compression="zstd")
