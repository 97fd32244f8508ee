"""Sweeps: policies x fleets x seeds, on all cores, and what the seeds say of the difference."""

from petahour.simulator.sweep.grid import Cell, Grid, Row
from petahour.simulator.sweep.run import run_sweep
from petahour.simulator.sweep.spread import Spread, spread_of
from petahour.simulator.sweep.table import ratio_table, sweep_table
from petahour.simulator.sweep.write import sweep_json, write_sweep

__all__ = [
    "Cell",
    "Grid",
    "Row",
    "Spread",
    "ratio_table",
    "run_sweep",
    "spread_of",
    "sweep_json",
    "sweep_table",
    "write_sweep",
]
