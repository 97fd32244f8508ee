"""A sweep's rows as Parquet and JSON. Both are the same for any number of workers: no real time is in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from petahour.simulator.report import Summary, as_json
from petahour.simulator.report.measures import MEASURES
from petahour.simulator.sweep.grid import Row
from petahour.simulator.sweep.spread import NOTHING, Spread, spread_of
from petahour.simulator.sweep.table import grouped, ratios

_REAL_TIME = ("wall_s", "jobs_per_s")
_NAMES = ("policy", "trace", "seed")


def sweep_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    """One object per fleet and policy: over how many seeds, and of every figure the mean and its interval's half.

    ``ratios`` are to the fleet's first policy, seed by seed; it has none itself. None stands where there is no such
    figure, and for the half of fewer than two.
    """
    compared = [(measure, ratios(rows, measure)) for measure in MEASURES if measure.compared]
    return [
        {
            "fleet": fleet,
            "policy": policy,
            "seeds": len(held),
            "figures": {
                name: _spread(spread_of([_number(row.summary, name) for row in held])) for name in _figures(held[0])
            },
            "ratios": {
                measure.field: _spread(spreads[fleet, policy])
                for measure, spreads in compared
                if spreads.get((fleet, policy), NOTHING).count
            },
        }
        for (fleet, policy), held in grouped(rows).items()
    ]


def write_sweep(rows: Sequence[Row], directory: Path) -> Path:
    """Write ``sweep.parquet``, a line per replay, and ``sweep.json``; the Parquet file's path.

    Raises OSError where a file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory.mkdir(parents=True, exist_ok=True)
    columns: dict[str, object] = {
        "fleet": pa.array([row.cell.fleet for row in rows]),
        "policy": pa.array([row.cell.policy for row in rows]),
        "seed": pa.array([row.cell.seed for row in rows]),
        "trace": pa.array([row.summary.trace for row in rows]),
    }
    for name in _figures(rows[0]):
        columns[name] = pa.array([as_json(row.summary)[name] for row in rows])
    path = directory / "sweep.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    text = json.dumps(sweep_json(rows), indent=2, ensure_ascii=False)
    (directory / "sweep.json").write_text(text + "\n", "utf-8")
    return path


def _figures(row: Row) -> list[str]:
    """The names of a summary's numbers, without those of real time."""
    return [
        name
        for name, value in as_json(row.summary).items()
        if name not in (*_REAL_TIME, *_NAMES) and not isinstance(value, str | list)
    ]


def _number(summary: Summary, name: str) -> float:
    return float(getattr(summary, name))


def _spread(spread: Spread) -> dict[str, float | None]:
    return {
        "mean": spread.mean if spread.count else None,
        "half_95": spread.half if spread.count > 1 else None,
    }
