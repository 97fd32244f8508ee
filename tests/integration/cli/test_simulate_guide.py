"""The guide to replays: every command on it runs as it stands, on the files that come with it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from petahour.cli.main import run
from petahour.simulator.readers import FORMATS, RECORDINGS, ReadOptions, read_trace

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "simulate"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
DRAWN = "petahour trace generate days.csv --jobs 400 --days 4 --seed 2 --tenants 8 --fleet fleet.toml --load 0.75"


def commands(page: Path) -> list[str]:
    lines = [line for block in BLOCK.findall(page.read_text("utf-8")) for line in block.splitlines()]
    return [line for line in lines if line.startswith("petahour ")]


GUIDE = commands(ROOT / "docs" / "guides" / "simulate.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, copied; the guide's commands build on each other."""
    return Path(shutil.copytree(EXAMPLES, tmp_path_factory.mktemp("guide") / "simulate"))


def invoke(command: str, folder: Path) -> int:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return run(shlex.split(command)[1:])
    finally:
        os.chdir(before)


@pytest.mark.parametrize("command", GUIDE)
def test_the_guides_commands_run(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(command, folder)
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.out.strip()


def test_the_guide_runs_every_format() -> None:
    text = "\n".join(GUIDE)
    known = FORMATS | RECORDINGS
    assert {name for name in known if f"--format {name} " in text} == set(known) - {"petahour"}


def test_the_table_of_formats_has_a_row_and_a_section_for_each() -> None:
    page = (ROOT / "docs" / "reference" / "traces.md").read_text("utf-8")
    rows = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \|", page, re.MULTILINE)
    assert [name for name, _ in rows] == [*FORMATS, *RECORDINGS]
    assert all(name == anchor and f"\n## {name}\n" in page for name, anchor in rows)


def test_a_recording_is_a_trace_row_by_row() -> None:
    """What the page says of each row of the section on recordings, of the sample that the guide replays."""
    sample = EXAMPLES / "formats" / "recording.jsonl"
    trace = read_trace(sample, "recording")
    events = [json.loads(line) for line in sample.read_text("utf-8").splitlines()[1:-1]]
    told = [event for event in events if event["kind"] == "job-submitted"]
    ran_ms: dict[str, list[int]] = {}
    for event in events:
        if event["kind"] == "job-started":
            ran_ms.setdefault(event["job"], []).append(-event["at_ms"])
        elif event["kind"] == "job-ended" and event["job"] in ran_ms:
            ran_ms[event["job"]][-1] += event["at_ms"]
    assert [job.id for job in trace.jobs] == [event["job"] for event in told]
    for job, event in zip(trace.jobs, told, strict=True):
        terms, gang = event["data"]["terms"], event["data"]["terms"]["gang"]
        assert job.submit_ms == event["at_ms"] - told[0]["at_ms"]
        assert (job.tenant, job.name, list(job.types)) == (event["tenant"], terms["name"], terms["types"])
        assert (job.tier, job.priority, job.walltime_ms) == (terms["tier"], terms["priority"], terms["walltime_ms"])
        assert job.accelerators == gang["nodes"] * gang["accelerators_per_node"]
        runs = ran_ms[job.id]
        assert job.duration_ms == (sum(runs) if terms["checkpoint_dir"] else runs[-1])
    assert max(len(runs) for runs in ran_ms.values()) > 1
    assert [job.row for job in trace.jobs] == list(range(len(told)))
    registered = {event["node"] for event in events if event["kind"] == "node-registered"}
    assert {node.name for node in trace.nodes} == registered


def test_the_commands_left_what_the_guide_says(folder: Path) -> None:
    for name in (
        "out/report.html",
        "out/summary.json",
        "times.csv",
        "out/sweep/sweep.parquet",
        "out/sweep/sweep.json",
    ):
        assert (folder / name).stat().st_size > 0
    assert (folder / "out/money/bill-cheapest.parquet").stat().st_size > 0


def test_the_committed_trace_is_made_by_the_command_beside_it(tmp_path: Path) -> None:
    assert DRAWN in (EXAMPLES / "README.md").read_text("utf-8")
    shutil.copy(EXAMPLES / "fleet.toml", tmp_path)
    assert invoke(DRAWN, tmp_path) == 0
    assert (tmp_path / "days.csv").read_bytes() == (EXAMPLES / "days.csv").read_bytes()


def test_the_samples_of_the_formats_are_the_same_jobs() -> None:
    files = {"philly": "philly.csv", "helios": "helios.csv", "acme": "acme.csv", "muri": "muri.csv"}
    files |= {"elasticflow": "elasticflow.csv", "swf": "jobs.swf"}
    read = [read_trace(EXAMPLES / "formats" / file, name, ReadOptions(strict=True)) for name, file in files.items()]
    jobs = [[(job.submit_ms, job.duration_ms, job.accelerators) for job in trace.jobs] for trace in read]
    assert len(jobs[0]) == 12
    assert all(other == jobs[0] for other in jobs)


def test_the_floors_own_figures_are_told_in_units_that_show_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("petahour replay formats/recording.jsonl --policy drf", folder) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "of these 6 jobs was 3.01 s, the mean wait 0.197 s, with 1 preemption;" in told
