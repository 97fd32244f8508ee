"""`petahour ledger`: whether the book is as it was written, looked at in the database itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson
from petahour.cli.options import DataDir as OwnBooks

app = typer.Typer(
    help="The double-entry ledger: prove it, correct it by reversals.", no_args_is_help=True, rich_markup_mode=None
)

DataDir = Annotated[Path, typer.Option(help="The data directory of the control plane.")]
DatabaseUrl = Annotated[
    str | None, typer.Option(envvar="PETAHOUR_DATABASE_URL", help="PostgreSQL instead of the directory's SQLite.")
]


@app.command(short_help="Prove the ledger from the database itself.")
def verify(
    data_dir: DataDir = Path("petahour-data"),
    database_url: DatabaseUrl = None,
    anchor: Annotated[
        str | None, typer.Option(help="A last hash that was noted down: the chain must still contain it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the ledger from the database itself; exit 1 and the offending rows if anything is wrong.

    Debits equal credits; every balance follows from its transfers, every charge from its usage record, every
    usage record from its allocation's events; every transfer is chained to the one before. The control plane may
    run meanwhile or be stopped. The last hash stands for the whole ledger: note it down elsewhere.
    """
    from petahour.cli.database import stored
    from petahour.cli.render import progress
    from petahour.cli.statement_view import show_proof
    from petahour.control.proof import prove

    with stored(data_dir, database_url) as store, progress("Proving"):
        proof = prove(store, anchor=anchor)
    show_proof(proof, as_json=as_json)
    if not proof.ok:
        raise typer.Exit(ExitCode.FAILED)


@app.command(short_help="Compare engine, own clock and what was billed.")
def evidence(
    data_dir: DataDir = Path("petahour-data"),
    database_url: DatabaseUrl = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's allocations.")] = None,
    tolerance: Annotated[str, typer.Option(help="Differences up to this are no finding, such as 1s.")] = "1s",
    every: Annotated[bool, typer.Option("--all", help="Show allocations without a finding too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare how long each ended allocation ran by the engine, by our own clock and by what was billed.

    Exit 1 if any two differ by more than the tolerance, or if the engine contradicted itself. Nothing is changed:
    correct a charge that is wrong by a reversal.
    """
    from petahour.cli.database import stored
    from petahour.cli.statement_view import show_evidence
    from petahour.control.evidence import compare
    from petahour.model.time import parse_duration

    tolerance_ms = parse_duration(tolerance, field="tolerance")
    with stored(data_dir, database_url) as store:
        found = compare(store, tolerance_ms=tolerance_ms, tenant=tenant)
    show_evidence(found, every=every, as_json=as_json)
    if any(one.differences for one in found):
        raise typer.Exit(ExitCode.FAILED)


@app.command(short_help="Take a transfer back, with a note that says why.")
def reverse(
    transfer: Annotated[str, typer.Argument(metavar="TRANSFER", help="Its id, as petahour explain shows it.")],
    note: Annotated[str, typer.Option(help="Why; it is kept with the reversal.")],
    data_dir: OwnBooks = None,
    as_json: AsJson = False,
) -> None:
    """Take a transfer back in full by one of its own. Nothing is edited; doing it twice is one reversal.

    A reversal is final, and tax and rounding of an invoice go back with the invoice alone.
    """
    from petahour.cli.render import money, show_json
    from petahour.cli.session import books

    with books(data_dir) as client:
        back = client.reverse(transfer, note=note)
    if as_json:
        show_json(back)
    else:
        typer.echo(f"{money(back.amount_micros, back.currency)} back from {back.debit} to {back.credit}: {back.id}")
