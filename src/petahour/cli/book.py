"""`petahour ledger`: whether the book is as it was written, looked at in the database itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson

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
