"""Generated traces: they are like their profile, the same for a seed, and carry the load that was asked for."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.resources import Node
from petahour.simulator.generate import GenerateOptions, fleet_of, generate, read_profile
from petahour.simulator.trace import Trace

DAY_MS = 86_400_000
# What the source publishes of its 466,867 jobs: the shares below these run times in seconds, of spot jobs, and of the
# tenants with the most jobs.
RUN_TIMES_S = {0.5: 1_216, 0.8598: 21_600, 0.9: 45_773, 0.95: 461_465, 0.99: 5_663_026}
SPOT_SHARE = 0.1096
TENANT_SHARES = (0.388, 0.233, 0.098, 0.093)
GANG_SHARES = {1: 0.7415, 8: 0.098, 16: 0.0258, 64: 0.0035}


@pytest.fixture(scope="module")
def half_a_year() -> Trace:
    return generate(GenerateOptions(jobs=60_000, days=184, seed=3, tenants=84))


def test_run_times_have_the_profile_s_quantiles(half_a_year: Trace) -> None:
    seconds = np.array([job.duration_ms for job in half_a_year.jobs]) / 1_000
    for share, published_s in RUN_TIMES_S.items():
        assert np.quantile(seconds, share) == pytest.approx(published_s, rel=0.25), share


def test_every_duration_class_has_its_quantiles(half_a_year: Trace) -> None:
    profile = read_profile("mixed")
    starts = [one.from_accelerators for one in profile.durations.classes]
    for one, start, end in zip(profile.durations.classes, starts, [*starts[1:], 10**9], strict=True):
        seconds = [job.duration_ms / 1_000 for job in half_a_year.jobs if start <= job.accelerators < end]
        for share in (0.25, 0.5, 0.9, 0.95):
            wanted_s = one.seconds[profile.durations.points.index(share)]
            assert np.quantile(seconds, share) == pytest.approx(wanted_s, rel=0.3), (start, share)


def test_types_and_gangs_have_the_profile_s_shares(half_a_year: Trace) -> None:
    count = len(half_a_year.jobs)
    types = Counter(job.types[0] for job in half_a_year.jobs)
    for habit in read_profile("mixed").types:
        assert types[habit.name] / count == pytest.approx(habit.job_share, abs=0.005)
    gangs = Counter(job.accelerators for job in half_a_year.jobs)
    for size, share in GANG_SHARES.items():
        assert gangs[size] / count == pytest.approx(share, abs=0.004)
    assert all(size in (1, 2, 4) or size % 8 == 0 for size in gangs)
    assert max(gangs) > 64


def test_spot_has_its_share_and_none_of_the_longest_work(half_a_year: Trace) -> None:
    spot = [job for job in half_a_year.jobs if job.tier is Tier.SPOT]
    assert len(spot) / len(half_a_year.jobs) == pytest.approx(SPOT_SHARE, abs=0.01)
    assert {job.tier for job in half_a_year.jobs} == {Tier.SPOT, Tier.ON_DEMAND}
    assert _work(spot) < 0.1 * _work(half_a_year.jobs)


def test_tenants_demand_is_heavy_tailed(half_a_year: Trace) -> None:
    counts = Counter(job.tenant for job in half_a_year.jobs)
    assert len(counts) == 84
    for share, (_, jobs) in zip(TENANT_SHARES, counts.most_common(4), strict=True):
        assert jobs / len(half_a_year.jobs) == pytest.approx(share, abs=0.01)


def test_more_tenants_than_the_profile_ranks_are_as_concentrated() -> None:
    trace = generate(GenerateOptions(jobs=20_000, days=7, seed=1, tenants=500))
    counts = sorted(Counter(job.tenant for job in trace.jobs).values(), reverse=True)
    assert len(counts) == 500
    assert sum(counts[:50]) > 0.85 * len(trace.jobs)


def test_arrivals_follow_the_hour_and_the_week(half_a_year: Trace) -> None:
    rhythm = read_profile("mixed").rhythm
    hours = np.array([job.submit_ms // 3_600_000 for job in half_a_year.jobs])
    by_hour = np.bincount(hours % 24, minlength=24)
    assert np.corrcoef(by_hour, rhythm.hours)[0, 1] > 0.9
    assert by_hour[14:18].sum() > 1.5 * by_hour[2:6].sum()
    by_day = np.bincount(hours // 24 % 7, minlength=7)
    assert by_day[:5].mean() > 1.2 * by_day[5:].mean()


def test_jobs_are_numbered_by_submit_time_within_the_days(half_a_year: Trace) -> None:
    submits = [job.submit_ms for job in half_a_year.jobs]
    assert submits == sorted(submits)
    assert submits[0] >= 0
    assert submits[-1] < 184 * DAY_MS
    assert [job.row for job in half_a_year.jobs] == list(range(60_000))
    assert len({job.id for job in half_a_year.jobs}) == 60_000


def test_a_name_s_run_times_lie_around_its_own_median(half_a_year: Trace) -> None:
    runs: dict[tuple[str, str], list[int]] = defaultdict(list)
    shapes: dict[tuple[str, str], set[object]] = defaultdict(set)
    for job in half_a_year.jobs:
        runs[job.tenant, job.name].append(job.duration_ms)
        shapes[job.tenant, job.name].add((job.accelerators, job.types, job.tier))
    assert all(len(shape) == 1 for shape in shapes.values())
    often = [lengths for lengths in runs.values() if len(lengths) >= 10]
    near = [sum(median(one) / 2 <= length <= median(one) * 2 for length in one) / len(one) for one in often]
    assert len(often) > 500
    assert np.mean(near) > 0.8
    everything = [job.duration_ms for job in half_a_year.jobs]
    middle = median(everything)
    assert sum(middle / 2 <= length <= middle * 2 for length in everything) < 0.3 * len(everything)


def test_walltimes_are_declared_by_a_share_and_over_estimate(half_a_year: Trace) -> None:
    declared = [job for job in half_a_year.jobs if job.walltime_ms is not None]
    assert len(declared) / len(half_a_year.jobs) == pytest.approx(0.6, abs=0.01)
    ratios = [job.walltime_ms / job.duration_ms for job in declared if job.walltime_ms]
    assert min(ratios) > 1
    assert 2 < median(ratios) < 8


def test_flexible_jobs_accept_other_types_with_speeds(half_a_year: Trace) -> None:
    by_name = {habit.name: habit for habit in read_profile("mixed").types}
    flexible = [job for job in half_a_year.jobs if len(job.types) > 1]
    assert len(flexible) / len(half_a_year.jobs) == pytest.approx(0.5, abs=0.02)
    for job in half_a_year.jobs:
        assert len(job.types) == len(job.speeds)
        assert job.speeds[0] == 1.0
        assert set(job.types[1:]) <= set(by_name[job.types[0]].also)
    h800 = {job.speeds[1] for job in flexible if job.types[0] == "h800-80g-sxm"}
    assert h800
    assert all(speed < 1 for speed in h800)


@pytest.mark.parametrize(("seed", "load"), [(1, 0.9), (2, 0.5), (3, 1.3)])
def test_the_load_is_met_in_all_and_type_by_type(seed: int, load: float) -> None:
    nodes = fleet_of("mixed", 120)
    trace = generate(GenerateOptions(jobs=8_000, days=10, seed=seed, tenants=30, load=load, nodes=nodes))
    capacity = sum(node.accelerators for node in nodes) * 10 * DAY_MS
    assert _work(trace.jobs) / capacity == pytest.approx(load, rel=0.02)
    for name in {node.type for node in nodes}:
        mine = sum(node.accelerators for node in nodes if node.type == name) * 10 * DAY_MS
        assert _work([job for job in trace.jobs if job.types[0] == name]) / mine == pytest.approx(load, rel=0.02)
    assert list(trace.nodes) == nodes


def test_no_gang_is_above_half_of_its_type() -> None:
    nodes = fleet_of("mixed", 60)
    trace = generate(GenerateOptions(jobs=5_000, days=7, seed=1, load=0.8, nodes=nodes))
    have = Counter[str]()
    for node in nodes:
        have[node.type] += node.accelerators
    for job in trace.jobs:
        assert all(job.accelerators <= max(1, have[name] // 2) for name in job.types)


def test_the_same_seed_makes_the_same_trace_and_another_another() -> None:
    options = GenerateOptions(jobs=2_000, days=3, seed=11, tenants=10)
    assert generate(options) == generate(options)
    assert generate(options).jobs != generate(GenerateOptions(jobs=2_000, days=3, seed=12, tenants=10)).jobs


def test_the_trace_of_a_seed_is_this_one_on_every_machine() -> None:
    nodes = fleet_of("mixed", 40)
    trace = generate(GenerateOptions(jobs=3_000, days=5, seed=7, tenants=20, load=0.7, nodes=nodes))
    assert hashlib.sha256(repr(trace.jobs).encode()).hexdigest()[:16] == "c7caf59787a976b8"


def test_a_trace_is_labelled_synthetic() -> None:
    assert generate(GenerateOptions(jobs=1, days=1, seed=5, tenants=1)).name == "synthetic-mixed-5"


def test_the_scale_stretches_every_run_time() -> None:
    once = generate(GenerateOptions(jobs=500, days=400, seed=1, tenants=5))
    twice = generate(GenerateOptions(jobs=500, days=400, seed=1, tenants=5, scale=2.0))
    for one, other in zip(once.jobs, twice.jobs, strict=True):
        assert other.duration_ms == pytest.approx(min(2 * one.duration_ms, 400 * DAY_MS), abs=1_000)


@settings(max_examples=40, deadline=None)
@given(
    jobs=st.integers(1, 400),
    days=st.floats(0.001, 40),
    seed=st.integers(0, 2**63 - 1),
    tenants=st.integers(1, 120),
    nodes=st.none() | st.integers(1, 60),
)
def test_whatever_is_asked_comes_whole(jobs: int, days: float, seed: int, tenants: int, nodes: int | None) -> None:
    tenants = min(tenants, jobs)
    fleet = () if nodes is None else fleet_of("mixed", nodes)
    trace = generate(GenerateOptions(jobs=jobs, days=days, seed=seed, tenants=tenants, nodes=fleet))
    assert len(trace.jobs) == jobs
    assert len({job.tenant for job in trace.jobs}) == tenants
    for job in trace.jobs:
        assert 0 <= job.submit_ms < max(1, round(days * 86_400)) * 1_000
        assert job.duration_ms >= 1_000
        assert job.walltime_ms is None or job.walltime_ms >= job.duration_ms
        assert fleet == () or {node.type for node in fleet} >= set(job.types)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"jobs": 0}, "jobs"),
        ({"jobs": True}, "jobs"),
        ({"days": 0.0}, "days"),
        ({"days": float("nan")}, "days"),
        ({"days": float("inf")}, "days"),
        ({"seed": -1}, "seed"),
        ({"tenants": 11}, "tenants"),
        ({"load": 0.0, "nodes": fleet_of("mixed", 10)}, "load"),
        ({"load": 0.9}, "load"),
        ({"scale": -1.0}, "scale"),
        ({"scale": 2.0, "load": 0.9, "nodes": fleet_of("mixed", 10)}, "scale"),
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GenerateOptions(**{"jobs": 10, "days": 1.0, "seed": 1, "tenants": 2, **change})  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize(("jobs", "nodes", "load"), [(5, 200, 0.9), (50_000, 1, 0.001)])
def test_a_load_out_of_reach_is_refused_with_what_would_do(jobs: int, nodes: int, load: float) -> None:
    options = GenerateOptions(jobs=jobs, days=1, seed=1, tenants=5, load=load, nodes=fleet_of("mixed", nodes))
    with pytest.raises(ValidationError, match=r"load: .*Ask for (more|fewer) jobs"):
        generate(options)


def test_a_fleet_of_a_type_that_the_profile_does_not_know_is_refused() -> None:
    nodes = [Node(name="n", pool="p", engine="simulated", type="abacus", accelerators=8)]
    with pytest.raises(ValidationError, match="abacus") as refused:
        generate(GenerateOptions(jobs=10, days=1, seed=1, tenants=1, nodes=nodes))
    assert refused.value.field == "nodes"


def test_a_fleet_of_one_type_gets_jobs_of_that_type() -> None:
    nodes = [node for node in fleet_of("mixed", 60) if node.type == "a100-80g-sxm"]
    trace = generate(GenerateOptions(jobs=300, days=2, seed=1, tenants=3, load=0.5, nodes=nodes))
    assert {job.types for job in trace.jobs} == {("a100-80g-sxm",)}


def test_a_profile_of_one_s_own_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        _packaged().replace('name = "mixed"', 'name = "own"').replace("series-2", "ascend-910b3"), "utf-8"
    )
    trace = generate(GenerateOptions(jobs=500, days=2, seed=1, tenants=3, profile=str(path)))
    assert trace.name == "synthetic-own-1"
    assert "ascend-910b3" in {job.types[0] for job in trace.jobs}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("burst_jobs = 2.0", "burst_jobs = 0.5", "rhythm.burst_jobs"),
        ("burst_jobs = 2.0", "burst_jobs = 2.0\ncolour = 1", "rhythm.colour"),
        ("job_share = 0.4897", "job_share = 0.9", "sum to 1"),
        ("gangs = [1, 2, 4, 8]", "gangs = [1, 4, 2, 8]", "rise"),
        ("gangs = [1, 2, 4, 8]", "gangs = [1, 2, 8]", "equally long"),
        ('also = ["a10"]', 'also = ["abacus"]', "abacus"),
        ("home = 0.75", "home = nan", "tenants.home"),
        ("home = 0.75", "home = '0.75'", "tenants.home"),
        ("home = 0.75", "home = ", "TOML"),
    ],
)
def test_a_broken_profile_is_refused_by_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = _packaged()
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(ValidationError, match=said) as refused:
        read_profile(str(path))
    assert refused.value.field.startswith("broken.toml")


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match="mixed"):
        read_profile("fixed")
    with pytest.raises(ValidationError, match=r"absent\.toml"):
        read_profile("absent.toml")


def _packaged() -> str:
    from petahour.simulator.generate import profile

    return (Path(profile.__file__).parent / "profiles" / "mixed.toml").read_text("utf-8")


def _work(jobs: object) -> float:
    assert isinstance(jobs, list)
    return float(sum(job.duration_ms * job.accelerators for job in jobs))
