"""`simulate`: replay a trace through the scheduler and tell what every policy makes of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson
from petahour.model.errors import ValidationError

if TYPE_CHECKING:
    from petahour.simulator.drains import Drain
    from petahour.simulator.faults import Faults
    from petahour.simulator.generate import Fleet
    from petahour.simulator.replay import Replay
    from petahour.simulator.result import Result
    from petahour.simulator.trace import Trace

TraceFile = Annotated[Path, typer.Argument(metavar="TRACE", help="The trace's file, plain or gzip.")]
Format = Annotated[str, typer.Option("--format", help='What kind of file; "petahour trace formats" lists them.')]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a file with any line that is no job.")]
SingleVc = Annotated[bool, typer.Option("--single-vc", help="All jobs are one tenant's: ignore clusters.")]
Throughputs = Annotated[Path | None, typer.Option(help="Gavel's table of measured steps per second.")]
NodeList = Annotated[Path | None, typer.Option(help="The node list that belongs to an openb trace.")]
FleetFile = Annotated[Path | None, typer.Option("--fleet", help="fleet.toml with the nodes.")]


def simulate(
    trace: TraceFile,
    format_name: Format = "petahour",
    policy: Annotated[str, typer.Option(help="One policy or several, with commas.")] = "petahour",
    fleet: FleetFile = None,
    nodes: Annotated[int | None, typer.Option(min=1, max=100_000, help="A plain fleet of so many nodes.")] = None,
    accelerators_per_node: Annotated[int, typer.Option(min=1, max=1024, help="On each node of a plain fleet.")] = 8,
    preemptible: Annotated[bool, typer.Option("--preemptible", help="Every job may be stopped, as spot is.")] = False,
    single_vc: SingleVc = False,
    strict: Strict = False,
    throughputs: Throughputs = None,
    node_list: NodeList = None,
    node_mtbf: Annotated[
        str | None, typer.Option(help="Nodes fail: the mean time between failures of one, such as 30d.")
    ] = None,
    accelerator_mtbf: Annotated[
        str | None, typer.Option(help="Single accelerators fail: the mean time between failures of one.")
    ] = None,
    repair: Annotated[str, typer.Option(help="The mean time until what failed is back.")] = "4h",
    drain: Annotated[
        Path | None, typer.Option(help="A file of planned drains and maintenance windows; see the guide.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="For everything that is drawn at random.")] = 0,
    restart_cost: Annotated[str, typer.Option(help="What a job spends before it goes on after a stop.")] = "62s",
    checkpoint_every: Annotated[
        str | None, typer.Option(help="How often jobs save; without it they save when told to stop.")
    ] = None,
    max_preemptions: Annotated[
        int | None,
        typer.Option(min=0, help="How often one job may be stopped; 10 times and twice an hour without it."),
    ] = None,
    per_job: Annotated[
        Path | None, typer.Option(help="Write every job's start and end as CSV; several policies: FILE-POLICY.")
    ] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Recompute from the runs what must always hold.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a report with plots and Parquet files here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a trace through the scheduler that runs the floor, under one policy or several.

    Times count from the trace's first submission. What is no job, and what could run on no state of the fleet, is
    counted and told, never dropped in silence.
    """
    from petahour.cli.render import print_plain, show_json
    from petahour.simulator.drains import check_drains
    from petahour.simulator.readers import ReadOptions, out_of_order, read_trace
    from petahour.simulator.report import as_json as json_of
    from petahour.simulator.report import comparison, summarise, write_per_job, write_report

    hows = _hows(policy, seed, restart_cost, checkpoint_every, max_preemptions, preemptible=preemptible)
    faults = _faults(node_mtbf, accelerator_mtbf, repair)
    planned = _drains(drain)
    options = ReadOptions(strict=strict, single_vc=single_vc, throughputs=throughputs, nodes=node_list)
    jobs = read_trace(trace, format_name, options)
    jobs, where = _fleet(jobs, fleet, nodes, accelerators_per_node)
    check_drains(planned, [node.name for node in where.nodes])
    faults = replace(faults, drains=(*where.drains, *planned))
    hows = [replace(how, nodes=where.nodes, faults=faults if faults.any() else None) for how in hows]
    results = _run(jobs, hows, quiet=as_json)
    if audit:
        _audit(results)
    summaries = [summarise(result) for result in results]
    with writing():
        if per_job is not None:
            for result in results:
                write_per_job(result, _named(per_job, result.policy, several=len(results) > 1))
        page = write_report(results, report) if report is not None else None
    if as_json:
        show_json({summary.policy: json_of(summary) for summary in summaries})
        return
    print_plain(comparison(summaries))
    for note in _notes(jobs, results, out_of_order(jobs)):
        typer.echo(f"Note: {note}", err=True)
    if page is not None:
        typer.echo(f"Report: {page}")


def _hows(
    policies: str,
    seed: int,
    restart_cost: str,
    checkpoint_every: str | None,
    max_preemptions: int | None,
    *,
    preemptible: bool,
) -> list[Replay]:
    """How each policy is replayed, without the nodes yet; wrong options are told before a file is read."""
    from petahour.model.time import parse_duration
    from petahour.scheduler.policies import policy_named
    from petahour.scheduler.state import Bounds
    from petahour.simulator.replay import Costs, Replay

    names = [name.strip() for name in policies.split(",")]
    for name in {name for name in names if names.count(name) > 1}:
        raise ValidationError(field="policy", value=name, rule="each policy once", remedy="Leave out the second one.")
    costs = Costs(
        restart_ms=parse_duration(restart_cost, field="restart_cost"),
        checkpoint_ms=None
        if checkpoint_every is None
        else parse_duration(checkpoint_every, field="checkpoint_every"),
    )
    how = Replay(policy=policy_named(names[0]), nodes=(), preemptible=preemptible, costs=costs, seed=seed)
    if max_preemptions is not None:
        how = replace(how, bounds=Bounds(max_preemptions=max_preemptions))
    return [replace(how, policy=policy_named(name)) for name in names]


def _faults(node_mtbf: str | None, accelerator_mtbf: str | None, repair: str) -> Faults:
    from petahour.model.time import parse_duration
    from petahour.simulator.faults import Faults

    return Faults(
        node_mtbf_ms=None if node_mtbf is None else parse_duration(node_mtbf, field="node_mtbf"),
        accelerator_mtbf_ms=None
        if accelerator_mtbf is None
        else parse_duration(accelerator_mtbf, field="accelerator_mtbf"),
        repair_ms=parse_duration(repair, field="repair"),
    )


def _drains(file: Path | None) -> Sequence[Drain]:
    from petahour.simulator.drains import read_drains

    return () if file is None else read_drains(file)


def _fleet(trace: Trace, file: Path | None, count: int | None, width: int) -> tuple[Trace, Fleet]:
    """The fleet to replay on, and the trace with the fleet's speeds where it has none of its own."""
    from petahour.simulator.fleet import plain_nodes
    from petahour.simulator.generate import Fleet, read_fleet, with_speeds

    if file is not None and count is not None:
        raise ValidationError(
            field="nodes", value=count, rule="a fleet file or a plain fleet", remedy="Leave out --nodes or --fleet."
        )
    if file is not None:
        known = read_fleet(file)
        return with_speeds(trace, known), known
    if count is not None:
        return trace, Fleet(nodes=plain_nodes(count, width))
    if trace.nodes:
        return trace, Fleet(nodes=trace.nodes)
    raise ValidationError(
        field="fleet",
        value=None,
        rule="this trace brings no fleet of its own",
        remedy="Give --fleet FILE, or --nodes N --accelerators-per-node K for a plain one.",
    )


def _run(trace: Trace, hows: Sequence[Replay], *, quiet: bool) -> list[Result]:
    from petahour.cli.render import progress
    from petahour.simulator.replay import replay

    results = []
    for how in hows:
        if quiet or not sys.stderr.isatty():
            results.append(replay(trace, how))
            continue
        with progress(f"Replaying {len(trace.jobs):,} jobs under {how.policy.name} ..."):
            results.append(replay(trace, how))
    return results


def _audit(results: Sequence[Result]) -> None:
    """Raises InvariantError with the first finding; says on stderr how much was looked at."""
    from petahour.model.errors import InvariantError
    from petahour.simulator.audit import audit

    for result in results:
        findings = audit(result)
        if findings:
            raise InvariantError(rule=findings[0].rule, value=f"{result.policy}: {findings[0].detail}")
        typer.echo(f"Audit: {len(result.runs.job):,} runs under {result.policy}, everything holds.", err=True)


def _named(path: Path, policy: str, *, several: bool) -> Path:
    return path.with_name(f"{path.stem}-{policy}{path.suffix}") if several else path


@contextmanager
def writing() -> Iterator[None]:
    """A file that cannot be written is the caller's mistake: it is named."""
    try:
        yield
    except OSError as error:
        raise ValidationError(
            field="file", value=str(error.filename), rule=f"can be written ({error.strerror})", remedy="Name another."
        ) from error


def _notes(trace: Trace, results: Sequence[Result], moved: int) -> list[str]:
    notes = []
    if trace.excluded:
        reasons: dict[str, int] = {}
        for item in trace.excluded:
            reasons[item.reason] = reasons.get(item.reason, 0) + 1
        first = trace.excluded[0]
        told = "; ".join(f"{count} x {reason}" for reason, count in sorted(reasons.items(), key=lambda it: -it[1]))
        notes.append(f"{len(trace.excluded)} lines are no jobs ({told}), the first is line {first.line}.")
    if moved:
        notes.append(f"{moved} lines came out of order and were sorted by their submission.")
    impossible = len(results[0].impossible)
    if impossible:
        notes.append(f"{impossible} jobs could run on no state of this fleet: their gang or type is not there.")
    return notes
