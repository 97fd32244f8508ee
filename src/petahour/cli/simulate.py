"""`simulate`: replay a trace through the scheduler and tell what every policy makes of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson
from petahour.cli.replays import (
    Format,
    NodeList,
    SingleVc,
    Strict,
    Throughputs,
    check_outputs,
    faults_of,
    fleets_of,
    generated_of,
    policies_of,
    prices_of,
    seeds_of,
    world_of,
    writing,
)
from petahour.model.errors import ValidationError

if TYPE_CHECKING:
    from petahour.simulator.replay import Replay
    from petahour.simulator.result import Result
    from petahour.simulator.sweep import Grid
    from petahour.simulator.trace import Trace


def simulate(
    trace: Annotated[
        Path | None, typer.Argument(metavar="[TRACE]", help="The trace's file, plain or gzip; or --generate.")
    ] = None,
    format_name: Format = "petahour",
    policy: Annotated[str, typer.Option(help="One policy or several, with commas.")] = "petahour",
    fleet: Annotated[list[Path] | None, typer.Option(help="fleet.toml with the nodes; several for a sweep.")] = None,
    nodes: Annotated[
        list[int] | None,
        typer.Option(min=1, max=100_000, help="A plain fleet of so many nodes; several for a sweep."),
    ] = None,
    accelerators_per_node: Annotated[int, typer.Option(min=1, max=1024, help="On each node of a plain fleet.")] = 8,
    preemptible: Annotated[bool, typer.Option("--preemptible", help="Every job may be stopped, as spot is.")] = False,
    single_vc: SingleVc = False,
    strict: Strict = False,
    throughputs: Throughputs = None,
    node_list: NodeList = None,
    generate: Annotated[
        str | None,
        typer.Option(help='Instead of TRACE: a trace made with each seed, such as "jobs=2000,days=7,load=0.9".'),
    ] = None,
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
    reservations: Annotated[
        Path | None, typer.Option(help="A file of what is reserved for tenants, and when; see the guide.")
    ] = None,
    estimate_noise: Annotated[
        str | None,
        typer.Option(help='Declared walltimes are wrong: "lognormal:0.5", "f:4" or "modal:4"; see the guide.'),
    ] = None,
    price_book: Annotated[
        Path | None, typer.Option(help="Price books: every run is metered and rated as the floor would.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Which of the price file's currencies.")] = None,
    begins: Annotated[
        str | None,
        typer.Option(help="The trace's first instant, such as 2026-03-02T00:00:00Z; a Monday without it."),
    ] = None,
    price_limits: Annotated[
        str | None,
        typer.Option(help='Limits on the spot price for a share of spot jobs, such as "0.5:0.8-1.2"; see the guide.'),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="For everything that is drawn at random.")] = 0,
    seeds: Annotated[str | None, typer.Option(help='A sweep over several seeds, such as "1-10".')] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes of a sweep; one per core without it.")
    ] = None,
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

    Times count from the trace's beginning. What is no job, and what could run on no state of the fleet, is
    counted and told, never dropped in silence. With several seeds or fleets, the replays are spread over all cores
    and the table has means over the seeds with their 95 % confidence intervals.
    """
    from petahour.simulator.readers import ReadOptions, read_trace
    from petahour.simulator.scenario import check_possible
    from petahour.simulator.sweep import Grid

    names = policies_of(policy)
    chosen = [seed] if seeds is None else seeds_of(seeds)
    faults = faults_of(node_mtbf, accelerator_mtbf, repair, drain)
    world = world_of(
        preemptible=preemptible,
        restart_cost=restart_cost,
        checkpoint_every=checkpoint_every,
        max_preemptions=max_preemptions,
        faults=faults,
        estimate_noise=estimate_noise,
        prices=prices_of(price_book, currency, begins),
        price_limits=price_limits,
        reservations=reservations,
    )
    if (trace is None) == (generate is None):
        raise ValidationError(
            field="trace", value=None, rule="a file, or --generate", remedy="Name a trace or say what to generate."
        )
    check_outputs(per_job, report)
    options = ReadOptions(strict=strict, single_vc=single_vc, throughputs=throughputs, nodes=node_list)
    jobs = None if trace is None else read_trace(trace, format_name, options)
    fleets = fleets_of(fleet or (), nodes or (), accelerators_per_node, jobs)
    if strict and jobs is not None:
        for one in fleets.values():
            check_possible(jobs, one, world)
    demand = jobs or generated_of(generate or "", next(iter(fleets.values())), chosen[0])
    grid = Grid(demand=demand, policies=names, fleets=fleets, seeds=chosen, world=world, audited=audit)
    if seeds is None and len(fleets) == 1:
        _single(grid, per_job=per_job, report=report, as_json=as_json)
        return
    if per_job is not None:
        raise ValidationError(
            field="per_job", value=str(per_job), rule="one seed and one fleet", remedy="Leave it out of a sweep."
        )
    from petahour.cli.sweeping import sweep

    sweep(grid, workers=workers, report=report, as_json=as_json)


def _single(grid: Grid, *, per_job: Path | None, report: Path | None, as_json: bool) -> None:
    """Every policy once, kept in full."""
    from petahour.cli.render import print_plain, show_json
    from petahour.cli.replay_notes import notes_of
    from petahour.simulator.report import as_json as json_of
    from petahour.simulator.report import comparison, summarise, write_per_job, write_report
    from petahour.simulator.scenario import billed, jobs_for, replay_in

    (fleet,), (seed,) = grid.fleets.values(), grid.seeds
    jobs = jobs_for(grid.demand, fleet, grid.world, seed=seed)
    results = _run(
        jobs, [replay_in(grid.world, fleet, policy=name, seed=seed) for name in grid.policies], quiet=as_json
    )
    if grid.audited:
        _audit(results)
    bills = [billed(grid.world, result, audited=grid.audited) for result in results]
    summaries = [summarise(result, bill) for result, bill in zip(results, bills, strict=True)]
    with writing():
        if per_job is not None:
            for result in results:
                write_per_job(result, _named(per_job, result.policy, several=len(results) > 1))
        page = write_report(results, report, bills=bills) if report is not None else None
    if as_json:
        show_json({summary.policy: json_of(summary) for summary in summaries})
        return
    print_plain(comparison(summaries))
    for note in notes_of(jobs, results):
        typer.echo(f"Note: {note}", err=True)
    if page is not None:
        typer.echo(f"Report: {page}")


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
    if not several:
        return path
    packed = ".gz" if path.suffix == ".gz" else ""
    plain = path.with_name(path.name.removesuffix(packed))
    return plain.with_name(f"{plain.stem}-{policy}{plain.suffix}{packed}")
