"""`submit`: a job from a file, from flags, or from both, the flags having the last word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson

if TYPE_CHECKING:
    from petahour.client import Client, JobRequest
    from petahour.client.types import Job

COMMAND = "petahour.command"


class SubmitCommand(TyperCommand):
    """Takes all that follows ``--`` as the job's command, untouched, so that FILE stays optional before it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if "--" in args:
            place = args.index("--")
            ctx.meta[COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


def submit(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A job file, TOML or YAML.")] = None,
    name: Annotated[str | None, typer.Option(help="A name to know it by.")] = None,
    project: Annotated[str | None, typer.Option(help="The project it is charged to.")] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant it is for (operators only).")] = None,
    workdir: Annotated[str | None, typer.Option(help="Inside the project's directory.")] = None,
    env: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A variable; may be repeated.")] = None,
    nodes: Annotated[int | None, typer.Option(help="How many nodes the gang spans.")] = None,
    per_node: Annotated[int | None, typer.Option(help="Accelerators on each node, one rank each.")] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="An acceptable accelerator type; the preferred first.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="reserved, on-demand or spot.")] = None,
    priority: Annotated[int | None, typer.Option(help="-100 to 100.")] = None,
    walltime: Annotated[str | None, typer.Option(help="The longest it may run, such as 1h30m.")] = None,
    retries: Annotated[int | None, typer.Option(help="Restarts after its own failures.")] = None,
    checkpoint_dir: Annotated[str | None, typer.Option(help="Inside the project's directory.")] = None,
    preemption_signal: Annotated[str | None, typer.Option(help="Such as SIGUSR1.")] = None,
    grace: Annotated[str | None, typer.Option(help="From that signal to the kill, such as 30s.")] = None,
    memory: Annotated[str | None, typer.Option(help="Per rank, such as 8GiB.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting again with the same key gives the same job.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the job is over; exit 1 unless it succeeded.")] = (
        False
    ),
    timeout: Annotated[float | None, typer.Option(min=0, help="With --wait: at most so many seconds.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print rank 0's output until the job is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a job described by FILE, by flags, or both; a flag wins over the file.

    The command follows two dashes: petahour submit --type a100-80g-sxm -- python train.py
    """
    if follow and as_json:
        raise typer.BadParameter("--json prints one document; it does not go with --follow.")
    if timeout is not None and (follow or not wait):
        raise typer.BadParameter("--timeout goes with --wait, without --follow.")
    said: dict[str, object] = {
        "command": context.meta.get(COMMAND) or None,
        "name": name,
        "project": project,
        "tenant": tenant,
        "workdir": workdir,
        "nodes": nodes,
        "accelerators_per_node": per_node,
        "types": tuple(type_) if type_ else None,
        "tier": tier,
        "priority": priority,
        "walltime": walltime,
        "retries": retries,
        "checkpoint_dir": checkpoint_dir,
        "preemption_signal": preemption_signal,
        "grace": grace,
        "memory": memory,
    }
    request = _request(file, {field: value for field, value in said.items() if value is not None}, env or [])
    _send(request, idempotency_key, wait=wait, timeout_s=timeout, follow=follow, as_json=as_json)


def _request(file: Path | None, said: dict[str, object], variables: list[str]) -> JobRequest:
    from dataclasses import replace

    from petahour.client import JobRequest, load_job_file

    if file is None and "command" not in said:
        raise typer.BadParameter("Name a job file, or give the command after two dashes: -- python train.py")
    request = JobRequest(command=()) if file is None else load_job_file(file)
    request = replace(request, **said)  # type: ignore[arg-type]  # Each option has its field's type.
    return replace(request, environment={**request.environment, **_variables(variables)})


def _variables(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise typer.BadParameter(f"--env takes NAME=VALUE, not {name!r}")
    return {name: value for name, _, value in pairs}


def _send(
    request: JobRequest, key: str | None, *, wait: bool, timeout_s: float | None, follow: bool, as_json: bool
) -> None:
    from petahour.cli.render import show_json
    from petahour.cli.session import connect

    with connect() as client:
        job = client.submit(request, idempotency_key=key)
        if not as_json:
            # While output is followed, stdout is the job's own.
            typer.echo(f"{job.id} submitted" + (f": {job.hold.text}" if job.hold else ""), err=follow)
        job = _until_over(client, job, timeout_s=timeout_s, follow=follow) if wait or follow else job
    if as_json:
        show_json(job)
    elif wait or follow:
        code = "" if job.exit_code is None else f", exit code {job.exit_code}"
        message = f": {job.message}" if job.message else ""
        typer.echo(f"{job.id} {job.state}{code}{message}", err=follow)
    if (wait or follow) and job.state != "succeeded":
        raise typer.Exit(ExitCode.FAILED)


def _until_over(client: Client, job: Job, *, timeout_s: float | None, follow: bool) -> Job:
    from petahour.cli.render import progress

    if follow:
        for chunk in client.follow_log(job.id):
            typer.echo(chunk.text, nl=False)
        return client.job(job.id)
    with progress(f"Waiting for {job.id}"):
        return client.wait(job.id, timeout_s=timeout_s)
