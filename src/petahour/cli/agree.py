"""Agreeing: what costs money is done after somebody has said yes to it."""

from __future__ import annotations

import sys

import typer

from petahour.cli.exits import ExitCode
from petahour.model.errors import ValidationError


def agree(what: str) -> None:
    """Say what would be done and what it costs, and go on if the answer is yes; else end with nothing changed.

    Raises ValidationError where standard input is no terminal, so that a script says ``--yes`` or does nothing.
    """
    if not sys.stdin.isatty():
        raise ValidationError(
            field="yes",
            value=None,
            rule=f"{what}, and nobody can be asked, as standard input is no terminal",
            remedy="Give --yes to agree to it.",
        )
    # On standard error to the last character: standard output may be a document.
    typer.echo(f"{what}. Go on? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(ExitCode.FAILED)
