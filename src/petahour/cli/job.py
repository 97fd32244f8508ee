"""`submit`, `ps`, `describe`, `logs`, `cancel`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson
from petahour.cli.submit import SubmitCommand, submit

if TYPE_CHECKING:
    from petahour.client import Client
    from petahour.client.types import Job

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, such as job-7q0w4v2m9x.")]


def add_to(app: typer.Typer) -> None:
    app.command(cls=SubmitCommand, short_help="Submit a job described by a file, by flags, or both.")(submit)
    app.command(short_help="List jobs, newest first, and why they wait.")(ps)
    app.command(short_help="Show a job in full: why it waits, attempts, history.")(describe)
    app.command()(logs)
    app.command(short_help="Cancel jobs.")(cancel)


def ps(
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    active: Annotated[bool, typer.Option("--active", help="Only jobs that are not over.")] = False,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's jobs (for operators).")] = None,
    project: Annotated[str | None, typer.Option(help="Only this project's jobs.")] = None,
    array: Annotated[str | None, typer.Option(metavar="ID", help="Only the jobs of this array.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    all_: Annotated[bool, typer.Option("--all", "-a", help="All of them, however many.")] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first, with the reason of those that wait."""
    from petahour.cli.job_view import job_table
    from petahour.cli.render import console, print_plain, show_json
    from petahour.cli.session import connect, now_ms
    from petahour.client.types import JobPage
    from petahour.model.jobs import FINAL_STATES, JobState

    states = list(state or ())
    if active:
        states += [item.value for item in JobState if item not in FINAL_STATES]
    with connect() as client:
        if all_:
            jobs = tuple(client.every_job(states=states, tenant=tenant, project=project, array=array))
            page = JobPage(jobs=jobs, next_before_seq=None)
        else:
            page = client.jobs(states=states, tenant=tenant, project=project, array=array, limit=limit)
    if as_json:
        show_json({"jobs": page.jobs, "next_before_seq": page.next_before_seq})
    elif not page.jobs:
        typer.echo("No jobs.")
    else:
        print_plain(job_table(page.jobs, now_ms=now_ms(), width=console().width))
        if page.next_before_seq is not None:
            typer.echo(f"The newest {len(page.jobs)} are shown; --all shows every one.", err=True)


def describe(job: JobId, as_json: AsJson = False) -> None:
    """Show a job in full: why it waits, its attempts, and its history with times and causes."""
    from petahour.cli.job_view import show_job
    from petahour.cli.render import show_json
    from petahour.cli.session import connect, now_ms

    with connect() as client:
        detail = client.job(job)
    if as_json:
        show_json(detail)
    else:
        show_job(detail, now_ms=now_ms())


def logs(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as output comes, until the job ends.")
    ] = False,
    rank: Annotated[int, typer.Option(min=0, help="Which rank of the gang.")] = 0,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; the latest without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the output of one rank."""
    from petahour.cli.session import connect

    if as_json and follow:
        raise typer.BadParameter("--json prints one document; it does not go with --follow.")
    with connect() as client:
        if follow:
            for chunk in client.follow_log(job, rank, attempt=attempt):
                typer.echo(chunk.text, nl=False)
        elif as_json:
            _log_json(client, job, rank, attempt)
        else:
            for text in _pieces(client, job, rank, attempt):
                typer.echo(text, nl=False)


def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs, or of arrays, to cancel.")],
    wait: Annotated[bool, typer.Option("--wait", help="Return when their processes are gone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs: at once when queued; by signal, grace period and kill when running."""
    from petahour.cli.render import progress, show_json
    from petahour.cli.session import connect

    with connect() as client:
        done: list[Job] = []
        for job in jobs:
            done.append(client.cancel(job))
            if not wait and not as_json:
                # At once: a later one may be refused.
                typer.echo(f"{job} is {done[-1].state}")
        if wait:
            with progress("Waiting for the jobs to stop"):
                done = [client.wait(job.id) for job in done]
    if as_json:
        show_json({"jobs": done})
    elif wait:
        for one in done:
            typer.echo(f"{one.id} is {one.state}")


def _pieces(client: Client, job: str, rank: int, attempt: int | None) -> Iterator[str]:
    """What there is now, piece by piece; the end is where the next piece is empty."""
    offset = 0
    while True:
        chunk = client.log(job, rank=rank, attempt=attempt, offset=offset)
        if not chunk.text:
            return
        yield chunk.text
        attempt, offset = chunk.attempt or None, chunk.next_offset


def _log_json(client: Client, job: str, rank: int, attempt: int | None) -> None:
    from dataclasses import replace

    from petahour.cli.render import show_json

    first = client.log(job, rank=rank, attempt=attempt)
    text, last = first.text, first
    while last.text:
        last = client.log(job, rank=rank, attempt=first.attempt or None, offset=last.next_offset)
        text += last.text
    show_json(replace(last, text=text))
