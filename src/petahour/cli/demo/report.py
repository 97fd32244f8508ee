"""The end of the demonstration: the books for people, or everything as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from petahour.cli.demo.books import Printed
from petahour.cli.demo.expectations import Accounts, Expectation, resumed_step, saved_step
from petahour.cli.demo.story import Seen, losses
from petahour.cli.demo.tenants import CHAR_LM, SPOT, TOO_BIG
from petahour.cli.job_view import job_table, show_job
from petahour.cli.quote_view import show_accuracy
from petahour.cli.render import Column, console, make_table, money, plain, print_plain
from petahour.cli.session import now_ms
from petahour.cli.statement_view import show_audit, show_conservation
from petahour.client.types import JobDetail


def show_report(
    seen: Seen,
    accounts: Accounts,
    invoices: Sequence[str],
    printed: Printed,
    expectations: Sequence[Expectation],
    *,
    wall_s: float,
) -> None:
    """Jobs, losses, the preempted job's history, both invoices, conservation, audit, and what was expected."""
    _head("Jobs (* on a rehearsal node)")
    print_plain(job_table(seen.jobs.values(), now_ms=now_ms(), width=console().width))
    _show_training(seen)
    if SPOT in seen.jobs:
        _head("The preempted job, as `petahour describe` shows it")
        show_job(seen.jobs[SPOT], now_ms=now_ms())
    if seen.accuracy is not None:
        _head("Quoted and charged, as `petahour quote accuracy` shows it")
        show_accuracy(seen.accuracy)
    for text in invoices:
        _head("Invoice")
        typer.echo(text, nl=False)
    _show_printed(printed)
    _head("Conservation")
    show_conservation(accounts.conservation)
    _head("Audit")
    show_audit(accounts.audit)
    _head("Expectations")
    for item in expectations:
        typer.echo(f"{'ok    ' if item.ok else 'BROKEN'}  {item.name}" + ("" if item.ok else f": {item.found}"))
    broken = sum(1 for item in expectations if not item.ok)
    typer.echo(f"\n{len(expectations)} expectations, {broken or 'none'} broken, {wall_s:.1f} s.")


def report_json(
    seen: Seen, accounts: Accounts, printed: Printed, expectations: Sequence[Expectation], *, wall_s: float
) -> dict[str, object]:
    """One object with everything; sums of capacity in accelerator-milliseconds, money in micro-units."""
    sums = accounts.conservation
    return {
        "ok": all(item.ok for item in expectations),
        "wall_s": round(wall_s, 3),
        "jobs": [_job(job, seen.waited.get(job.id)) for job in seen.jobs.values()],
        "refused": None if seen.refused is None else {"name": TOO_BIG, "error": str(seen.refused)},
        "training": [
            {"job": name, "attempt": attempt, "losses": [{"step": step, "loss": loss} for step, loss in losses(text)]}
            for (name, attempt), text in seen.logs.items()
            if losses(text)
        ],
        "preemption": {"saved_step": saved_step(seen), "resumed_step": resumed_step(seen)},
        "quote": plain(seen.quote),
        "accuracy": plain(seen.accuracy),
        "invoices": [plain(invoice) for invoice in accounts.invoices],
        "issued": [plain(document) for document in printed.documents],
        "files": [str(file) for file in printed.files],
        "conservation": {
            "ok": sums.ok,
            "billed": sums.billed,
            "waived": sums.waived,
            "open": sums.open,
            "idle": sums.idle,
            "down": sums.down,
            "capacity": sums.capacity,
            "faults": list(sums.faults),
        },
        "audit": plain(accounts.audit),
        "expectations": [plain(item) for item in expectations],
    }


def _job(job: JobDetail, waited: str | None) -> dict[str, object]:
    cause = job.history[-1].cause if job.history else None
    return {
        "id": job.id,
        "name": job.name,
        "tenant": job.tenant,
        "tier": job.tier,
        "type": job.type,
        "rehearsal": job.rehearsal,
        "state": job.state,
        "attempts": job.attempt,
        "preemptions": job.preemptions,
        "reason": waited or job.message or cause,
        "cause": cause,
    }


def _show_training(seen: Seen) -> None:
    _head("Training, as the jobs printed it")
    for (name, attempt), text in seen.logs.items():
        found = losses(text)
        if name in (CHAR_LM, SPOT) and found:
            shown = found[:: max(1, len(found) // 5)]
            steps = ", ".join(f"{loss} at step {step}" for step, loss in shown)
            typer.echo(f"{name}, attempt {attempt}: loss {steps}")
    typer.echo(
        f"{SPOT} saved step {saved_step(seen)} when it was preempted, and resumed at step {resumed_step(seen)}"
    )


def _show_printed(printed: Printed) -> None:
    _head(f"Issued invoices, the month closed as at {printed.closed_at}")
    named = (Column(title="NUMBER"), Column(title="TENANT"), Column(title="STATE", state=True))
    columns = (*named, *(Column(title=name, right=True) for name in ("NET", "TAX", "TOTAL", "DUE")))
    rows = []
    for item in printed.documents:
        sums = (item.net_micros, item.tax_micros, item.total_micros, item.due_micros)
        rows.append((item.number, item.tenant, item.state.value, *(money(micros, item.currency) for micros in sums)))
    print_plain(make_table(columns, rows))
    for file in printed.files:
        typer.echo(f"  {file}")
    if printed.note:
        typer.echo(printed.note)


def _head(text: str) -> None:
    typer.echo(f"\n== {text}")
