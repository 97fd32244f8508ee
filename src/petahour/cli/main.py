"""`petahour`: the entry point, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from petahour import __version__
from petahour.cli import (
    account,
    book,
    catalog,
    credit,
    credit_moves,
    fleet,
    invoices,
    job,
    ledger,
    node,
    notify,
    oversight,
    payment,
    price,
    quote,
    recording,
    report,
    reserve,
    tenant,
    trace,
)
from petahour.cli.demo.command import demo
from petahour.cli.exits import EXIT_HELP, ExitCode, exit_code_of
from petahour.cli.explain import explain
from petahour.cli.simulate import simulate
from petahour.cli.standing import status
from petahour.cli.up import up
from petahour.model.errors import PetahourError

# Modules named above load only what describes their options; what does the work is imported when a command runs.
# The help is plain text, without rich, so that it comes at once and is the same in a pipe.
app = typer.Typer(
    name="petahour",
    help="Rents AI compute: submit training jobs, watch the fleet, read usage and invoices.",
    epilog=EXIT_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(short_help="Run the control plane: HTTP API and control loop.")(up)
app.command(short_help="Watch jobs of two tenants from queue to invoice.")(demo)
account.add_to(app)
job.add_to(app)
app.add_typer(fleet.app, name="fleet")
app.add_typer(node.app, name="node")
app.add_typer(reserve.app, name="reserve")
app.add_typer(catalog.app, name="catalog")
app.add_typer(quote.app, name="quote")
app.add_typer(tenant.app, name="tenant")
ledger.add_to(app)
app.add_typer(book.app, name="ledger")
app.command(short_help="Show where a number of the ledger comes from.")(explain)
app.add_typer(price.app, name="price")
credit.add_to(app)
credit_moves.add_to(app)
app.add_typer(credit.topups, name="topups")
app.add_typer(notify.app, name="notify")
app.add_typer(payment.terms, name="terms")
app.add_typer(payment.budget, name="budget")
payment.add_to(app)
oversight.add_to(app)
app.command(short_help="Show which replica answers, and who leads.")(status)
invoices.add_to(app)
app.add_typer(report.app, name="report")
app.command(short_help="Replay a trace through the scheduler under several policies.")(simulate)
recording.add_to(app)
app.add_typer(trace.app, name="trace")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"petahour {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Rents AI compute: submit training jobs, watch the fleet, read usage and invoices."""


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Nothing a user does ends in a traceback."""
    before_dashes = list(arguments)[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in before_dashes
    try:
        code = _invoke(list(arguments), as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        return _after_broken_pipe()
    return code


def _invoke(arguments: list[str], as_json: bool) -> int:
    try:
        code = app(arguments, prog_name="petahour", standalone_mode=False)
    except PetahourError as error:
        _report(error, as_json)
        return exit_code_of(error)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except SystemExit as error:
        # A write that finds the reader gone is turned into an exit with 1 further down.
        if isinstance(error.__context__, BrokenPipeError):
            return _after_broken_pipe()
        raise
    except BrokenPipeError:
        raise
    except Exception as error:
        return _report_other(error, as_json)
    return int(code) if isinstance(code, int) else ExitCode.OK


def _report(error: PetahourError, as_json: bool) -> None:
    if as_json:
        shown = error.value if isinstance(error.value, str | int | float | bool | None) else repr(error.value)
        document: dict[str, object] = {"status": error.status, "kind": error.slug, "field": error.field}
        document |= {"value": shown, "rule": error.rule, "remedy": error.remedy}
        _report_json(document)
    else:
        typer.echo(f"Error: {error}", err=True)


def _report_other(error: Exception, as_json: bool) -> int:
    """A wrong command line, which knows how to show itself, or a defect, which is named in one line."""
    show = getattr(error, "show", None)
    format_message = getattr(error, "format_message", None)
    usage = callable(show) and callable(format_message)
    text = str(format_message()) if callable(format_message) else f"{type(error).__name__}: {error}"
    if os.environ.get("PETAHOUR_TRACEBACK") and not usage:
        import traceback

        traceback.print_exception(error)
    if as_json:
        _report_json({"kind": "usage" if usage else "defect", "rule": text})
    elif callable(show):
        show()
    else:
        typer.echo(f"Error: an unexpected failure: {text}", err=True)
        typer.echo("Report it; PETAHOUR_TRACEBACK=1 shows where it happened.", err=True)
    return int(getattr(error, "exit_code", ExitCode.USAGE)) if usage else ExitCode.FAILED


def _report_json(document: dict[str, object]) -> None:
    import json

    typer.echo(json.dumps({"error": document}, ensure_ascii=False), err=True)


def _after_broken_pipe() -> int:
    """The reader has gone (`| head`): that is its right. Nothing more is written, not even at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return ExitCode.OK


if __name__ == "__main__":
    main()
