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
    file: Annotated[
        Path | None, typer.Argument(help="A job file, TOML or YAML, or a batch script (.sbatch, .slurm, .sh).")
    ] = None,
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
    switch: Annotated[
        str | None,
        typer.Option(help="required: all nodes under one leaf switch; preferred: where that is to be had."),
    ] = None,
    exclusive: Annotated[
        bool | None, typer.Option("--exclusive", help="Nodes nobody else uses; all their accelerators are paid for.")
    ] = None,
    after_ok: Annotated[
        list[str] | None, typer.Option(metavar="JOB", help="Start when it has succeeded; may be repeated.")
    ] = None,
    after_any: Annotated[
        list[str] | None, typer.Option(metavar="JOB", help="Start when it is over; may be repeated.")
    ] = None,
    array: Annotated[
        str | None, typer.Option(metavar="INDEXES", help="One job for each, such as 0-15%4: at most 4 at once.")
    ] = None,
    max_price: Annotated[
        str | None,
        typer.Option(help="Of spot: the most it pays for an accelerator-hour, such as 5.50."),
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="The quote it is submitted under; its best type, gang and tier unless given.")
    ] = None,
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
    if follow and array:
        raise typer.BadParameter("--follow is for one job; wait for an array with --wait.")
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
        "switch": switch,
        "exclusive": exclusive,
        "after_ok": tuple(after_ok) if after_ok else None,
        "after_any": tuple(after_any) if after_any else None,
        "array": array,
        "max_price": max_price,
    }
    said = {field: value for field, value in said.items() if value is not None}
    if quote is not None:
        said = {**_quoted(quote, type_), **said}
    request = _request(file, said, env or [])
    _send(request, idempotency_key, wait=wait, timeout_s=timeout, follow=follow, as_json=as_json)


def _request(file: Path | None, said: dict[str, object], variables: list[str]) -> JobRequest:
    from dataclasses import replace

    from petahour.client import JobRequest

    if file is None and "command" not in said:
        raise typer.BadParameter("Name a job file, or give the command after two dashes: -- python train.py")
    request = JobRequest(command=()) if file is None else _read(file)
    if not request.types and "types" not in said:
        raise typer.BadParameter(f"{file} names no type of accelerator: say which with --type.")
    request = replace(request, **said)  # type: ignore[arg-type]  # Each option has its field's type.
    return replace(request, environment={**request.environment, **_variables(variables)})


def _quoted(quote: str, types: list[str] | None) -> dict[str, object]:
    """What the quote says of the job: type, gang and tier."""
    from petahour.cli.session import connect

    with connect() as client:
        request = client.quote_detail(quote).request((), type_name=types[0] if types else None)
    fields = ("quote", "types", "nodes", "accelerators_per_node", "tier", "tenant")
    return {field: getattr(request, field) for field in fields}


def _read(file: Path) -> JobRequest:
    from petahour.client import load_job_file
    from petahour.client.jobfile import read_text
    from petahour.client.sbatch import SUFFIXES, load_sbatch

    if file.suffix.lower() not in SUFFIXES:
        return load_job_file(file)
    script = load_sbatch(file, read_text(file))
    for note in script.notes:
        typer.echo(f"{file}, {note}", err=True)
    return script.request


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
            typer.echo(_submitted(job), err=follow)
        jobs = _until_over(client, job, timeout_s=timeout_s, follow=follow) if wait or follow else [job]
    if as_json:
        show_json(jobs[0] if len(jobs) == 1 else {"jobs": jobs})
    elif wait or follow:
        for one in jobs:
            code = "" if one.exit_code is None else f", exit code {one.exit_code}"
            message = f": {one.message}" if one.message else ""
            typer.echo(f"{one.id} {one.state}{code}{message}", err=follow)
    if (wait or follow) and any(one.state != "succeeded" for one in jobs):
        raise typer.Exit(ExitCode.FAILED)


def _submitted(job: Job) -> str:
    if job.array is None:
        return f"{job.id} submitted" + (f": {job.hold.text}" if job.hold else "")
    array = job.array
    at_once = f", at most {array.at_once} at once" if array.at_once < array.size else ""
    return f"{array.array} submitted: {array.size} jobs, the first is {job.id}{at_once}"


def _until_over(client: Client, job: Job, *, timeout_s: float | None, follow: bool) -> list[Job]:
    from petahour.cli.render import progress

    if follow:
        for chunk in client.follow_log(job.id):
            typer.echo(chunk.text, nl=False)
        return [client.job(job.id)]
    if job.array is None:
        with progress(f"Waiting for {job.id}"):
            return [client.wait(job.id, timeout_s=timeout_s)]
    with progress(f"Waiting for the jobs of {job.array.array}"):
        ids = [one.id for one in client.every_job(array=job.array.array)]
        return [client.wait(one, timeout_s=timeout_s) for one in reversed(ids)]
