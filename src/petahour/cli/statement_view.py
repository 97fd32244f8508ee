"""How conservation and audit are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import typer

from petahour.cli.render import Column, clean, hours, make_table, print_plain, show_json
from petahour.client.statements import Audit, CapacitySums, Conservation
from petahour.control.evidence import Evidence
from petahour.control.proof import Proof

_PARTS = ("billed", "waived", "open", "idle", "down", "capacity")


def show_conservation(result: Conservation) -> None:
    """Accelerator-hours by type, rehearsal apart, and whether they add up."""
    sums: dict[tuple[bool, str], list[int]] = defaultdict(lambda: [0] * len(_PARTS))
    for cell in result.cells:
        row = sums[cell.rehearsal, cell.type]
        for place, part in enumerate(_values(cell)):
            row[place] += part
    columns = (Column(title="TYPE"), *(Column(title=part.upper(), right=True) for part in _PARTS))
    rows = [
        (name + (" (rehearsal)" if rehearsal else ""), *map(hours, row))
        for (rehearsal, name), row in sorted(sums.items())
    ]
    rows.append(("all", *map(hours, _values(result))))
    title = "Accelerator-hours: billed + waived + open + idle + down = capacity"
    print_plain(make_table(columns, rows), title=title)
    typer.echo("Everything adds up." if result.ok else "It does not add up:")
    for fault in result.faults:
        typer.echo(f"  {fault}")


def show_audit(result: Audit) -> None:
    """Every check and what it found."""
    columns = (Column(title="CHECK"), Column(title="RESULT"), Column(title="DETAIL", wraps=True))
    rows = [(check.name, "ok" if check.ok else "BROKEN", check.detail) for check in result.checks]
    print_plain(make_table(columns, rows))
    broken = sum(1 for check in result.checks if not check.ok)
    typer.echo(f"{len(rows)} checks, " + ("all hold." if result.ok else f"{broken} broken."))


def show_proof(proof: Proof, *, as_json: bool) -> None:
    """Every check of the ledger, the rows that break one, and the hash that stands for the whole."""
    if as_json:
        show_json({"ok": proof.ok, "head": proof.head, **proof.counts._asdict(), "checks": proof.checks})
        return
    columns = (Column(title="CHECK"), Column(title="RESULT"), Column(title="ROWS", right=True))
    print_plain(
        make_table(columns, [(one.name, "ok" if one.ok else "BROKEN", one.count or "") for one in proof.checks])
    )
    for check in proof.checks:
        for fault in check.faults:
            typer.echo(f"{check.name}: {clean(fault)}")
        if check.count > len(check.faults):
            typer.echo(f"{check.name}: and {check.count - len(check.faults)} more")
    counts = proof.counts
    typer.echo(
        f"{counts.transfers:,} transfers between {counts.accounts:,} accounts, {counts.charges:,} charges, "
        f"{counts.usage_records:,} usage records: " + ("all proven." if proof.ok else "NOT proven.")
    )
    typer.echo(f"Head {proof.head}")


def show_evidence(found: Sequence[Evidence], *, every: bool, as_json: bool) -> None:
    """How long allocations ran, by whom, and what differs."""
    if as_json:
        show_json({"ok": not any(one.differences for one in found), "allocations": found})
        return
    shown = [one for one in found if every or one.differences]
    columns = (
        Column(title="ALLOCATION"),
        Column(title="TENANT"),
        *(Column(title=name, right=True) for name in ("ENGINE S", "HEARD S", "RECORDED S", "BILLED S")),
        Column(title="FINDING", wraps=True),
    )
    rows = [
        (
            one.allocation,
            one.tenant,
            *(_seconds(value) for value in (one.engine_ms, one.own_ms, one.recorded_ms, one.billed_ms)),
            "; ".join(one.differences) or "agree",
        )
        for one in shown
    ]
    if rows:
        print_plain(make_table(columns, rows))
    differing = sum(1 for one in found if one.differences)
    typer.echo(f"{len(found)} allocations compared: " + (f"{differing} differ." if differing else "all agree."))


def _seconds(value_ms: int | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:,.3f}"


def _values(sums: CapacitySums) -> tuple[int, ...]:
    return sums.billed, sums.waived, sums.open, sums.idle, sums.down, sums.capacity
