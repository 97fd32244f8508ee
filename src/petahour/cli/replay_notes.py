"""Notes below a table of replays: what was left out, and what never ended."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.model.jobs import Tier
from petahour.simulator.readers import out_of_order
from petahour.simulator.report.summary import excluded_by_reason
from petahour.simulator.reservations import unclaimed
from petahour.simulator.result import Result, left_waiting
from petahour.simulator.scenario import wish_of
from petahour.simulator.trace import Trace


def notes_of(trace: Trace, results: Sequence[Result]) -> list[str]:
    """One sentence each; none where every line was a job that ran."""
    notes: list[str] = []
    if trace.excluded:
        reasons = excluded_by_reason(trace.excluded)
        told = "; ".join(f"{count:,} x {reason}" for reason, (count, _) in reasons.items())
        are = counted(len(trace.excluded), "line is no job", "lines are no jobs")
        notes.append(f"{are} ({told}), the first is line {trace.excluded[0].line}.")
    if moved := out_of_order(trace):
        were = counted(moved, "line came out of order and was", "lines came out of order and were")
        notes.append(f"{were} sorted by submission.")
    impossible = results[0].impossible
    if len(impossible):
        job, jobs = trace.jobs[impossible[0]], counted(len(impossible), "job", "jobs")
        notes.append(
            f"{jobs} could run on no state of this fleet, as the gang or the type is not there; "
            f"the first is {job.id}: {wish_of(job)}."
        )
    promised = unclaimed(trace, results[0].reservations, preemptible=results[0].preemptible)
    notes += unclaimed_notes([(one.tenant, one.type) for one in promised], preemptible=results[0].preemptible)
    limited = sum(job.limit_micros is not None for job in trace.jobs)
    if limited and all(result.posted is None for result in results):
        have = counted(
            limited, "job has a limit on its price, which is", "jobs have limits on their price, which are"
        )
        notes.append(f"{have} not looked at without --price-book.")
    for result in results:
        if left := left_waiting(result):
            jobs = counted(len(left), "job", "jobs")
            notes.append(f"{jobs} still waited when nothing more could happen under {result.policy}.{_why(result)}")
    return notes


def unclaimed_notes(promised: Sequence[tuple[str, str]], *, preemptible: bool) -> list[str]:
    """What to say of reservations, told as tenant and type, that no job of the trace can use: a sentence, or none."""
    if not promised:
        return []
    tenant, name = promised[0]
    why = "with --preemptible every job is spot" if preemptible else "it has no job of tier reserved that accepts it"
    seats = counted(len(promised), "reservation has", "reservations have")
    idle = "that none of their owner's jobs can use, and that stand idle but for what they lend"
    return [f"{seats} seats {idle}; the first is {tenant}'s of {name}: {why}."]


def counted(count: int, one: str, several: str) -> str:
    """A number and what it counts."""
    return f"{count:,} {one if count == 1 else several}"


def _why(result: Result) -> str:
    tiers = {result.trace.jobs[number].tier for number in left_waiting(result)}
    if tiers != {Tier.RESERVED}:
        return ""
    return " It is reserved work whose reservation was over, or is too small for it."
