"""The times of every job as CSV."""

from __future__ import annotations

from gzip import GzipFile
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from petahour.model.time import SECOND_MS
from petahour.simulator.report.cases import asked_by
from petahour.simulator.result import NEVER, Result

HEAD = "row,submit_s,start_s,end_s,accelerators"


def write_per_job(result: Result, path: Path) -> None:
    """Write ``row,submit_s,start_s,end_s,accelerators`` in the order of the trace's rows.

    Seconds from the trace's beginning are exact: ``90.5``, and ``90`` without a point. A job that never ran has
    no start, one that did not finish no end. Gzipped when the name ends in ``.gz``. Raises OSError where the file
    cannot be written.
    """
    asked, jobs = asked_by(result.trace), result.jobs
    order = np.argsort(asked.row, kind="stable")
    columns = (asked.row, asked.submit_ms, jobs.start_ms, jobs.end_ms, asked.accelerators)
    with path.open("wb") as plain:
        # Without the time of writing in it, one replay is always the same file.
        packed = GzipFile(filename="", fileobj=plain, mode="wb", mtime=0) if path.suffix == ".gz" else None
        with TextIOWrapper(packed or plain, encoding="utf-8", newline="\n") as file:
            file.write(HEAD + "\n")
            file.writelines(
                f"{row},{exact_seconds(submit)},{exact_seconds(start)},{exact_seconds(end)},{accelerators}\n"
                for row, submit, start, end, accelerators in zip(*(c[order].tolist() for c in columns), strict=True)
            )


def exact_seconds(at_ms: int) -> str:
    """Milliseconds as seconds without rounding; nothing for what never happened."""
    if at_ms == NEVER:
        return ""
    seconds, rest = divmod(at_ms, SECOND_MS)
    return f"{seconds}.{rest:03d}".rstrip("0") if rest else str(seconds)
