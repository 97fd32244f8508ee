"""Sweeps on the command line: a progress bar, one table, rows as files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from petahour.cli.replays import writing

if TYPE_CHECKING:
    from petahour.simulator.sweep import Grid, Row


def sweep(grid: Grid, *, workers: int | None, report: Path | None, as_json: bool) -> None:
    """Run all of the grid, show means with their intervals, and write the rows where a report is wanted.

    Nothing is written when it is interrupted.
    """
    from petahour.cli.render import print_plain, show_json
    from petahour.simulator.sweep import ratio_table, run_sweep, sweep_json, sweep_table, write_sweep
    from petahour.simulator.sweep.run import cores

    count = len(grid.cells())
    workers = min(workers or cores(), count)
    began_s = time.perf_counter()
    done = 0
    with _bar(count) as advance:

        def told(number: int) -> None:
            nonlocal done
            done = number
            advance(number)

        try:
            rows = run_sweep(grid, workers=workers, told=told)
        except KeyboardInterrupt:
            typer.echo(f"Interrupted after {done} of {count} replays; nothing was written.", err=True)
            raise
    took_s = time.perf_counter() - began_s
    written = None
    if report is not None:
        with writing():
            written = write_sweep(rows, report)
    if as_json:
        show_json(sweep_json(rows))
        return
    print_plain(sweep_table(rows))
    compared = ratio_table(rows)
    if compared is not None:
        print_plain(compared, title=f"\nRatios to {grid.policies[0]}, seed by seed:")
    for note in _notes(grid, rows):
        typer.echo(f"Note: {note}", err=True)
    typer.echo(f"{count} replays in {took_s:.1f} s with {workers} workers.", err=True)
    if written is not None:
        typer.echo(f"Rows: {written}")


@contextmanager
def _bar(count: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, gone at its end; nothing where stderr is not a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from petahour.cli.render import console

    target = console(stderr=True)
    columns = (
        TextColumn("Replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as progress:
        task = progress.add_task("", total=count)
        yield lambda number: progress.update(task, completed=number)


def _notes(grid: Grid, rows: list[Row]) -> list[str]:
    from petahour.cli.replay_notes import counted, unclaimed_notes
    from petahour.simulator.reservations import unclaimed
    from petahour.simulator.trace import Trace

    notes = []
    faults = grid.world.faults
    fails = faults.node_mtbf_ms is not None or faults.accelerator_mtbf_ms is not None
    draws = fails or grid.world.noise is not None or grid.world.limits is not None
    if len(grid.seeds) > 1 and isinstance(grid.demand, Trace) and not draws:
        notes.append(
            "a seed changes nothing here: the trace is a file, nothing fails and no estimate or limit is drawn."
        )
    excluded = {row.cell.fleet: row.summary.excluded for row in rows}
    impossible = {row.cell.fleet: row.summary.impossible for row in rows}
    if any(excluded.values()):
        notes.append(counted(max(excluded.values()), "line is no job.", "lines are no jobs."))
    notes += [
        f"{counted(count, 'job', 'jobs')} could run on no state of fleet {name}."
        for name, count in impossible.items()
        if count
    ]
    if left := sum(row.summary.unfinished > 0 for row in rows):
        most = max(row.summary.unfinished for row in rows)
        notes.append(
            f"jobs still waited when nothing more could happen in {counted(left, 'replay', 'replays')}, "
            f"at most {most:,} of them in one."
        )
    if isinstance(grid.demand, Trace):
        world = grid.world
        promised = {
            (one.tenant, one.type): None
            for fleet in grid.fleets.values()
            for one in unclaimed(
                grid.demand, (*fleet.reservations, *world.reservations), preemptible=world.preemptible
            )
        }
        notes += unclaimed_notes(list(promised), preemptible=world.preemptible)
    return notes
