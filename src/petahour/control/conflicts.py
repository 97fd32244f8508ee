"""Reports that contradict what an engine said before: kept in the log and flagged; they change nothing."""

from __future__ import annotations

from petahour.control.transitions import note
from petahour.engines.protocol import Phase, Report
from petahour.model.allocations import Allocation
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job
from petahour.store.protocol import Transaction


def evidence(report: Report, now_ms: int) -> dict[str, object]:
    """What an event keeps of the report it comes from: the engine's own times, and when we heard of it on ours."""
    if report.phase is Phase.ENDED:
        return {
            "engine_started_ms": report.started_ms,
            "engine_ended_ms": report.ended_ms,
            "heard_ms": now_ms,
        }
    return {"engine_started_ms": report.started_ms, "heard_ms": now_ms}


def flag_conflict(tx: Transaction, allocation: Allocation, job: Job, report: Report, *, now_ms: int) -> None:
    """Keep the report if it says another thing than the one that was believed. The same conflict is kept once."""
    history = [event for event in tx.events.of_job(job.id) if event.allocation == allocation.id]
    said, believed = _differences(history, report)
    if not said or any(
        event.kind is EventKind.REPORT_CONFLICT and event.data.get("said") == said for event in history
    ):
        return
    note(
        tx,
        job,
        kind=EventKind.REPORT_CONFLICT,
        at_ms=now_ms,
        cause="the engine contradicts what it reported before; nothing was changed",
        allocation=allocation.id,
        data={"said": said, "believed": believed},
    )


def _differences(history: list[Event], report: Report) -> tuple[dict[str, object], dict[str, object]]:
    """Fields of the report that differ from what was believed, and what that was."""
    known: dict[str, object] = {}
    for event in history:
        if event.kind in (EventKind.JOB_STARTED, EventKind.JOB_ENDED):
            known |= {name: event.data[name] for name in _KEPT if event.data.get(name) is not None}
    told: dict[str, object] = {"engine_started_ms": report.started_ms}
    if report.phase is Phase.ENDED:
        kind = report.end_kind.value if report.end_kind else None
        told |= {"engine_ended_ms": report.ended_ms, "end_kind": kind, "exit_code": report.exit_code}
    differing = [name for name, value in told.items() if value is not None and known.get(name, value) != value]
    return {name: told[name] for name in differing}, {name: known[name] for name in differing}


_KEPT = ("engine_started_ms", "engine_ended_ms", "end_kind", "exit_code")
