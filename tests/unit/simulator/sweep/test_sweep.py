"""Sweeps: the same rows for any number of workers, the same demand for every policy, errors that cross processes."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from petahour.model.errors import InvariantError, PetahourError, ValidationError
from petahour.simulator.drains import Drain
from petahour.simulator.estimates import EstimateNoise
from petahour.simulator.faults import Faults
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.generate import Fleet, GenerateOptions, fleet_of
from petahour.simulator.scenario import World
from petahour.simulator.sweep import Grid, Row, ratio_table, run_sweep, sweep_json, sweep_table, write_sweep

HOUR_MS = 3_600_000
FLEETS = {"small": Fleet(nodes=tuple(fleet_of("mixed", 12))), "large": Fleet(nodes=tuple(fleet_of("mixed", 20)))}
GRID = Grid(
    demand=GenerateOptions(jobs=80, days=2.0, seed=0, tenants=5, load=0.3, nodes=FLEETS["small"].nodes),
    policies=["fifo", "backfill"],
    fleets=FLEETS,
    seeds=[3, 1, 4],
    world=World(faults=Faults(node_mtbf_ms=400 * HOUR_MS), noise=EstimateNoise(kind="f", amount=3.0)),
    audited=True,
)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return run_sweep(GRID, workers=1)


def files(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(directory.iterdir())]


def test_any_number_of_workers_gives_the_same_files(rows: list[Row], tmp_path: Path) -> None:
    told: list[int] = []
    spread = run_sweep(GRID, workers=3, told=told.append)
    assert told == list(range(1, len(GRID.cells()) + 1))
    assert [row.cell for row in spread] == [row.cell for row in rows] == GRID.cells()
    write_sweep(rows, tmp_path / "one")
    write_sweep(spread, tmp_path / "three")
    assert files(tmp_path / "one") == files(tmp_path / "three")


def test_each_seed_is_another_trace_and_the_same_one_for_all_that_is_compared(rows: list[Row]) -> None:
    traces: dict[int, set[str]] = {}
    for row in rows:
        traces.setdefault(row.cell.seed, set()).add(row.summary.trace)
    assert [len(names) for names in traces.values()] == [1, 1, 1]
    assert len(set.union(*traces.values())) == 3
    by_seed = {row.cell.seed: row.summary.mean_completion_s for row in rows if row.cell.policy == "fifo"}
    assert len(set(by_seed.values())) == 3


def test_the_files_have_every_row_and_the_means_of_the_table(rows: list[Row], tmp_path: Path) -> None:
    table = pq.read_table(write_sweep(rows, tmp_path / "out")).to_pydict()
    assert table["fleet"] == ["small"] * 6 + ["large"] * 6
    assert table["policy"] == (["fifo"] * 3 + ["backfill"] * 3) * 2
    assert table["seed"] == [3, 1, 4] * 4
    assert "wall_s" not in table
    told = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert told == json.loads(json.dumps(sweep_json(rows)))
    assert [(group["fleet"], group["policy"], group["seeds"]) for group in told] == [
        ("small", "fifo", 3),
        ("small", "backfill", 3),
        ("large", "fifo", 3),
        ("large", "backfill", 3),
    ]
    mean = told[1]["figures"]["mean_wait_s"]["mean"]
    assert mean == pytest.approx(sum(table["mean_wait_s"][3:6]) / 3)
    assert told[1]["figures"]["mean_wait_s"]["half_95"] > 0


def test_the_table_has_a_line_per_fleet_and_policy(rows: list[Row]) -> None:
    table = sweep_table(rows)
    assert table.row_count == 4
    assert [str(column.header) for column in table.columns][:3] == ["fleet", "policy", "seeds"]
    cells = [str(cell) for cell in next(c for c in table.columns if "completion" in str(c.header)).cells]
    assert all("±" in cell for cell in cells)
    assert sum(cell.endswith("*") for cell in cells) == 2
    assert [str(c.header) for c in sweep_table(rows[:6]).columns][:2] == ["policy", "seeds"]


def test_ratios_are_paired_by_seed(rows: list[Row], tmp_path: Path) -> None:
    group = sweep_json(rows)[1]
    told = json.loads(json.dumps(group))["ratios"]["mean_completion_s"]
    by_policy = {
        name: [row.summary.mean_completion_s for row in rows if row.cell.fleet == "small" and row.cell.policy == name]
        for name in ("fifo", "backfill")
    }
    pairs = [value / base for value, base in zip(by_policy["backfill"], by_policy["fifo"], strict=True)]
    assert told["mean"] == pytest.approx(sum(pairs) / 3)
    assert sweep_json(rows)[0]["ratios"] == {}
    table = ratio_table(rows)
    assert table is not None
    assert table.row_count == 2
    assert ratio_table(rows[:3]) is None


def test_an_error_in_a_worker_is_told_as_it_was() -> None:
    drained = replace(GRID.world, faults=Faults(drains=[Drain(nodes=("no-such-*",), from_ms=0, until_ms=1)]))
    with pytest.raises(ValidationError) as caught:
        run_sweep(replace(GRID, world=drained), workers=2)
    assert (caught.value.field, caught.value.value) == ("drain.nodes", "no-such-*")


@pytest.mark.parametrize(
    "error",
    [
        ValidationError(field="a", value=(1, 2), rule="b", remedy="c"),
        InvariantError(rule="nothing is given twice", value="node-1"),
    ],
)
def test_errors_cross_processes_whole(error: PetahourError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), back.value, back.status) == (str(error), error.value, error.status)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"policies": ["fifo", "fifo"]}, "policy"),
        ({"policies": ["lottery"]}, "policy"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"seeds": range(100_000)}, "seeds"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        replace(GRID, fleets={"plain": Fleet(nodes=plain_nodes(2, 4))}, **change)  # type: ignore[arg-type]
    assert caught.value.field == field
