"""`petahour demo`: its options; the work is in the modules beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson, EngineName


def demo(
    data_dir: Annotated[
        Path | None, typer.Option(help="An empty directory to work in, which is kept; a temporary one without it.")
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="This host's processes, or a throw-away Slurm with four virtual nodes.")
    ] = EngineName.LOCAL,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch real training jobs of two tenants get queued, placed, preempted, resumed, metered and invoiced.

    Starts a control plane on a free port, with this machine and rehearsal nodes as its fleet, and stops it at the
    end. With --engine slurm the accelerators are nodes of a real Slurm that is started for it (its packages must be
    installed) and put away with it. Takes about half a minute. Exit 1 when anything did not go as it should.
    """
    from petahour.cli.demo.run import run_demo

    if not run_demo(data_dir, keep=keep, as_json=as_json, engine=engine):
        raise typer.Exit(ExitCode.FAILED)
