"""Plain traces: equal nodes, any number of jobs, the load met by the trace's length."""

from __future__ import annotations

import pytest

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.simulator.generate import plain


@pytest.mark.parametrize(("nodes", "width", "load"), [(100, 8, 0.9), (16, 4, 1.1), (1, 1, 0.5)])
def test_the_load_is_met_by_the_length_of_the_trace(nodes: int, width: int, load: float) -> None:
    trace = plain(20_000, nodes, width, 1, load)
    work = sum(job.duration_ms * job.accelerators for job in trace.jobs)
    horizon_ms = work / (load * nodes * width)
    assert trace.jobs[-1].submit_ms < horizon_ms + 1_000
    assert trace.jobs[-1].submit_ms == pytest.approx(horizon_ms, rel=0.02)
    assert max(job.accelerators for job in trace.jobs) <= max(1, nodes * width // 2)
    assert len({job.accelerators for job in trace.jobs}) > 1 or nodes * width == 1


def test_the_fleet_comes_with_the_trace() -> None:
    trace = plain(10, 40, 8, 1, 0.9, tenants=3)
    assert len(trace.nodes) == 40
    assert {node.accelerators for node in trace.nodes} == {8}
    assert len({node.name for node in trace.nodes}) == 40
    assert len({node.switch for node in trace.nodes}) == 3
    assert {node.pool for node in trace.nodes} == {"gpu"}


def test_any_type_will_do_and_nothing_is_spot() -> None:
    trace = plain(1_000, 40, 8, 1, 0.9)
    assert {job.types for job in trace.jobs} == {()}
    assert {job.tier for job in trace.jobs} == {Tier.ON_DEMAND}
    assert trace.name == "synthetic-plain-1"


def test_a_seed_makes_one_trace() -> None:
    assert plain(2_000, 40, 8, 1, 0.9) == plain(2_000, 40, 8, 1, 0.9)
    assert plain(2_000, 40, 8, 1, 0.9).jobs != plain(2_000, 40, 8, 2, 0.9).jobs


@pytest.mark.parametrize(
    ("jobs", "nodes", "width", "seed", "load", "field"),
    [
        (0, 1, 1, 1, 0.9, "jobs"),
        (1, 0, 1, 1, 0.9, "nodes"),
        (1, 1, 0, 1, 0.9, "accelerators_per_node"),
        (1, 1, 1, -1, 0.9, "seed"),
        (1, 1, 1, 1, 0.0, "load"),
        (1, 1, 1, 1, float("nan"), "load"),
    ],
)
def test_what_makes_no_sense_is_refused(
    jobs: int, nodes: int, width: int, seed: int, load: float, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        plain(jobs, nodes, width, seed, load, tenants=1)
    assert refused.value.field == field
