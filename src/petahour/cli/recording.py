"""`record` and `replay`: a control plane's log as a file, and its decisions made again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.log import DatabaseUrl, DataDir, log_of
from petahour.cli.options import AsJson

if TYPE_CHECKING:
    from petahour.simulator.recording import Floor, Recording, Retraced
    from petahour.simulator.result import Result

RecordingFile = Annotated[Path, typer.Argument(metavar="RECORDING", help="A file that petahour record has written.")]


def add_to(app: typer.Typer) -> None:
    app.command(short_help="Write a control plane's event log to a file.")(record)
    app.command(short_help="Make the decisions of a recording again, or ask another policy.")(replay)


def record(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its name may end in .gz.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write a control plane's whole event log to a file, for replay and audit.

    It is read over the API unless a data directory or database is named. It names tenants, jobs and what they asked
    for, but neither commands nor environments.
    """
    from petahour import __version__
    from petahour.cli.render import show_json
    from petahour.cli.session import now_ms
    from petahour.simulator.recording import write_recording

    count = write_recording(log_of(data_dir, database_url), out, made_by=__version__, made_ms=now_ms())
    if as_json:
        show_json({"file": str(out), "events": count})
    else:
        typer.echo(f"{count:,} events in {out}")


def replay(
    file: RecordingFile,
    policy: Annotated[
        str | None, typer.Option(help="What these policies, with commas, would have made of the same jobs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make every recorded scheduling pass again and compare, bit for bit; exit 1 at the first difference.

    With a policy, its answer to the recorded arrivals and run times stands beside that of the recorded one.
    """
    from petahour.simulator.recording import read_recording, retrace

    recording = read_recording(file)
    if policy is not None:
        _other_policies(recording, file, policy, as_json=as_json)
        return
    again = retrace(recording.events)
    _show(again, as_json=as_json)
    if again.difference is not None:
        raise typer.Exit(ExitCode.FAILED)


def _show(again: Retraced, *, as_json: bool) -> None:
    from petahour.cli.render import precise, show_facts, show_json

    if as_json:
        show_json({"ok": again.difference is None, **asdict(again)})
        return
    difference = again.difference
    show_facts(
        [
            ("passes", f"{again.passes:,} that decided something, {again.idle:,} that decided nothing"),
            ("decisions", f"{again.placements:,} placements, {again.preemptions:,} preemptions"),
            ("starts of the control plane", again.loads),
            ("decided now", "the same, bit for bit" if difference is None else "something else, first here"),
        ]
    )
    if difference is not None:
        where = f"event {difference.seq}, {precise(difference.at_ms)}"
        show_facts([("pass", where), ("job", difference.job), ("then", difference.then), ("now", difference.now)])


def _other_policies(recording: Recording, file: Path, policies: str, *, as_json: bool) -> None:
    from petahour.cli.render import print_plain, show_json
    from petahour.scheduler.policies import policy_named
    from petahour.simulator.recording import as_it_was, trace_of
    from petahour.simulator.replay import Replay
    from petahour.simulator.replay import replay as replayed
    from petahour.simulator.report import as_json as json_of
    from petahour.simulator.report import comparison, summarise
    from petahour.simulator.reservations import seated

    names = dict.fromkeys([_policy_of(recording), *(name.strip() for name in policies.split(","))])
    hows = [policy_named(name) for name in names]
    trace = trace_of(recording.events, name=file.stem)
    promised = seated(trace.reservations, trace.nodes, [], None)
    results: list[Result] = [
        replayed(trace, Replay(policy=how, nodes=trace.nodes, reservations=promised)) for how in hows
    ]
    summaries = [summarise(result) for result in results]
    floor = as_it_was(recording.events)
    if as_json:
        show_json({"floor": asdict(floor), **{summary.policy: json_of(summary) for summary in summaries}})
        return
    print_plain(comparison(summaries))
    _note(floor, len(trace.excluded))


def _note(floor: Floor, excluded: int) -> None:
    from petahour.cli.replay_notes import counted
    from petahour.simulator.report.measures import span_text

    typer.echo(
        f"Note: on the floor itself the mean completion of these {floor.jobs} jobs was "
        f"{span_text(floor.mean_completion_s)}, the mean wait {span_text(floor.mean_wait_s)}, with "
        f"{counted(floor.preemptions, 'preemption', 'preemptions')}; "
        "there starts and stops took time, and quotas and credit counted.",
        err=True,
    )
    if excluded:
        typer.echo(f"Note: {excluded} jobs never ran or had not ended, and are left out.", err=True)


def _policy_of(recording: Recording) -> str:
    """The policy that the recorded passes were made under, the last where it changed."""
    from petahour.model.events import EventKind
    from petahour.scheduler.policies import PETAHOUR

    for event in reversed(recording.events):
        loaded = event.data.get("loaded") if event.kind is EventKind.PASS_MADE else None
        if isinstance(loaded, dict):
            return str(loaded["policy"])
    return PETAHOUR.name
