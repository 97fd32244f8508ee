"""Running a sweep: cells spread over processes, rows in the grid's order whoever was first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context

from petahour.model.errors import UnavailableError
from petahour.simulator.sweep.grid import Cell, Grid, Row

_grid: Grid | None = None  # in a worker: the sweep it works on


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_sweep(grid: Grid, *, workers: int | None = None, told: Callable[[int], None] | None = None) -> list[Row]:
    """All rows in the order of ``grid.cells()``, the same for any number of workers; all cores without one.

    ``told`` is called with the number of replays done after each of them. On an interruption or an error all
    workers are ended before it is raised. A program that calls this guards its beginning with
    ``if __name__ == "__main__"``, as every one that starts processes.
    """
    cells = grid.cells()
    workers = min(workers or cores(), len(cells))
    rows: dict[Cell, Row] = {}
    if workers == 1:
        for cell in cells:
            rows[cell] = grid.run(cell)
            if told is not None:
                told(len(rows))
    else:
        _in_processes(grid, cells, workers, rows, told)
    return [rows[cell] for cell in cells]


def _in_processes(
    grid: Grid, cells: list[Cell], workers: int, rows: dict[Cell, Row], told: Callable[[int], None] | None
) -> None:
    others = set(active_children())
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (grid,))
    try:
        with _deaf():
            futures = [executor.submit(_work, cell) for cell in cells]
        for future in as_completed(futures):
            row = future.result()
            rows[row.cell] = row
            if told is not None:
                told(len(rows))
    except BaseException as error:
        executor.shutdown(wait=False, cancel_futures=True)
        mine = set(active_children()) - others
        for worker in mine:
            worker.terminate()
        for worker in mine:
            worker.join()
        if isinstance(error, BrokenProcessPool):
            raise UnavailableError(
                field="workers",
                value=workers,
                rule="a worker was ended from outside, perhaps for want of memory",
                remedy="Use fewer workers.",
            ) from None
        raise
    executor.shutdown()


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C is not heard while workers are started: they inherit that, and would answer it until ``_begin``."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(grid: Grid) -> None:
    global _grid
    # Ctrl-C goes to all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _grid = grid


def _work(cell: Cell) -> Row:
    assert _grid is not None
    return _grid.run(cell)
