"""Our own format: what is written is what is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.simulator.readers import ReadOptions, read_trace, write_trace
from petahour.simulator.trace import Trace, TraceJob

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMED = TEXT.filter(bool)
MS = st.integers(0, 10**15)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    ids = draw(st.lists(NAMED, min_size=1, max_size=8, unique=True))
    rows = draw(st.permutations(range(3, 3 + len(ids))))
    jobs = []
    for row, name in zip(rows, ids, strict=True):
        types = tuple(draw(st.lists(NAMED, max_size=3, unique=True)))
        speed = st.floats(min_value=1e-300, allow_nan=False, allow_infinity=False)
        speeds = tuple(draw(st.lists(speed, min_size=len(types), max_size=len(types)))) if draw(st.booleans()) else ()
        job = TraceJob(
            row=row,
            id=name,
            tenant=draw(NAMED),
            submit_ms=draw(MS),
            duration_ms=draw(MS),
            accelerators=draw(st.integers(1, 100_000)),
            name=draw(TEXT),
            types=types,
            speeds=speeds,
            tier=draw(st.sampled_from(Tier)),
            priority=draw(st.integers(-100, 100)),
            walltime_ms=draw(st.none() | MS),
            share_milli=draw(st.integers(0, 1000)),
            cpu_milli=draw(MS),
            memory_mib=draw(MS),
        )
        jobs.append(job)
    return Trace(name="trace", jobs=sorted(jobs, key=lambda job: job.submit_ms))


@given(traces(), st.sampled_from(["trace.csv", "trace.csv.gz"]))
@settings(max_examples=200, deadline=None)
def test_reading_gives_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, trace: Trace, file_name: str
) -> None:
    path = tmp_path_factory.mktemp("trace") / file_name
    write_trace(trace, path)
    assert read_trace(path, "petahour", ReadOptions(strict=True)) == trace
    written = path.read_bytes()
    write_trace(trace, path)
    assert path.read_bytes() == written
    assert [item.name for item in path.parent.iterdir()] == [file_name]


def test_three_columns_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("accelerators,submit_ms,duration_ms\n4,250,100\n1,0,50\n")
    trace = read_trace(path, "petahour", ReadOptions())
    assert trace.jobs == [
        TraceJob(row=1, id="1", tenant="vc", submit_ms=0, duration_ms=50, accelerators=1),
        TraceJob(row=0, id="0", tenant="vc", submit_ms=250, duration_ms=100, accelerators=4),
    ]


def test_times_stay_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("accelerators,submit_ms,duration_ms\n4,250,100\n")
    assert read_trace(path, "petahour", ReadOptions()).jobs[0].submit_ms == 250


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("row", "", "row is blank"),
        ("row", "0", "row is the place of an earlier line (got 0)"),
        ("id", "", "id is blank"),
        ("id", "j0", "id names a job of an earlier line (got 'j0')"),
        ("name", r"a\b", "name has a backslash that begins none of"),
        ("name", "a\\", "name has a backslash that begins none of"),
        ("types", "a||b", "types are names apart by |, each once"),
        ("types", "a|a", "types are names apart by |, each once"),
        ("speeds", "1.0", "speeds are positive numbers, one for each type"),
        ("speeds", "1.0|0", "speeds are positive numbers, one for each type"),
        ("speeds", "1.0|nan", "speeds is not a finite number"),
        ("tier", "gold", "tier is one of reserved, on-demand, spot"),
        ("priority", "101", "priority is a whole number from -100 to 100"),
        ("priority", "0.5", "priority is a whole number from -100 to 100"),
        ("share_milli", "1001", "share_milli is more than 1000"),
        ("walltime_ms", "-1", "walltime_ms is negative"),
    ],
)
def test_bad_fields(tmp_path: Path, column: str, text: str, reason: str) -> None:
    fields = {"row": "1", "id": "j1", "submit_ms": "0", "duration_ms": "1", "accelerators": "1", "types": "a|b"}
    header = list(dict.fromkeys([*fields, column]))
    good = fields | {"row": "0", "id": "j0"}
    path = tmp_path / "own.csv"
    lines = [header] + [[row.get(name, "") for name in header] for row in (good, fields | {column: text})]
    path.write_text("".join(",".join(line) + "\n" for line in lines))
    trace = read_trace(path, "petahour", ReadOptions())
    assert [job.id for job in trace.jobs] == ["j0"]
    assert [item.line for item in trace.excluded] == [3]
    assert trace.excluded[0].reason.startswith(reason)


def job(**changes: object) -> TraceJob:
    plain: dict[str, object] = {
        "row": 0,
        "id": "a",
        "tenant": "t",
        "submit_ms": 0,
        "duration_ms": 1,
        "accelerators": 1,
    }
    return TraceJob(**(plain | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"tenant": ""},
        {"types": ("",)},
        {"types": ("a", "a")},
        {"types": ("a",), "speeds": (1.0, 2.0)},
        {"types": ("a",), "speeds": (float("nan"),)},
        {"accelerators": 0},
        {"duration_ms": -1},
        {"name": "\ud800"},
        {"name": "x" * 10_001},
        {"priority": 101},
        {"share_milli": 1001},
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "own.csv"
    with pytest.raises(ValidationError, match="job '"):
        write_trace(Trace(name="t", jobs=[job(**changes)]), path)
    assert not list(tmp_path.iterdir())


def test_two_jobs_with_one_id_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="one job's alone"):
        write_trace(Trace(name="t", jobs=[job(), job(row=1)]), tmp_path / "own.csv")
    with pytest.raises(ValidationError, match="cannot be written"):
        write_trace(Trace(name="t", jobs=[job()]), tmp_path / "absent" / "own.csv")
