"""`quote calibrate`: a short run of a program whose output tells its throughput."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson
from petahour.cli.submit import COMMAND


def calibrate(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What the program is called; runs of one name teach later quotes.")] = (
        "calibration"
    ),
    type_: Annotated[str, typer.Option("--type", help="The accelerator type to measure on.")] = "cpu",
    nodes: Annotated[int, typer.Option(min=1, help="How many nodes the gang spans.")] = 1,
    per_node: Annotated[int, typer.Option(min=1, help="Accelerators on each node, one rank each.")] = 1,
    project: Annotated[str, typer.Option(help="The project it is charged to.")] = "default",
    tenant: Annotated[str | None, typer.Option(help="The tenant it is for (operators only).")] = None,
    workdir: Annotated[str, typer.Option(help="Inside the project's directory.")] = ".",
    walltime: Annotated[str, typer.Option(help="The longest it may run.")] = "15m",
    as_json: AsJson = False,
) -> None:
    """Run a program for a short while as a job, and read its throughput from its output.

    The first rank prints a line for each stretch of work: "petahour: 320 samples in 0.412 s". Quote a long run of it
    with "petahour quote --measured JOB --amount 10M".
    """
    from petahour.cli.quote_view import show_throughput
    from petahour.cli.render import progress, show_json
    from petahour.cli.session import connect
    from petahour.client import JobRequest

    command = context.meta.get(COMMAND) or ()
    if not command:
        raise typer.BadParameter("Give the command after two dashes: -- python train.py --steps 50")
    request = JobRequest(
        command=tuple(command),
        name=name,
        types=(type_,),
        nodes=nodes,
        accelerators_per_node=per_node,
        project=project,
        tenant=tenant,
        workdir=workdir,
        walltime=walltime,
        meter_power=True,
    )
    with connect() as client:
        job = client.submit(request)
        typer.echo(f"{job.id} submitted", err=True)
        with progress(f"Waiting for {job.id}"):
            done = client.wait(job.id)
        if done.state != "succeeded":
            typer.echo(f'{job.id} {done.state}: {done.message}; "petahour logs {job.id}" shows its output', err=True)
            raise typer.Exit(ExitCode.FAILED)
        found = client.throughput(job.id)
    if as_json:
        show_json(found)
    else:
        show_throughput(found)
