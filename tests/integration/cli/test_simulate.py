"""`simulate` and `trace` as their users run them: a process, a file, an exit code."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

PETAHOUR = [sys.executable, "-m", "petahour.cli.main"]
ROWS = """timestamp,duration,num_gpus,gpu_time,cluster
2017-10-03 06:00:00,100,8,800,a
2017-10-03 06:00:10,50,16,800,a
2017-10-03 06:00:20,5,4,20,b
2017-10-03 06:00:20,7,4,28,b
2017-10-03 06:00:30,10,64,640,b
2017-10-03 06:00:40,-10,1,-10,b
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PETAHOUR, *map(str, arguments)], capture_output=True, text=True, check=False)


def times(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "week.csv"
    path.write_text(ROWS)
    return path


def test_every_policy_gets_its_figures_and_every_job_its_times(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "times.csv"
    done = run(
        *("simulate", trace, "--format", "philly", "--nodes", 2, "--accelerators-per-node", 8),
        *("--policy", "fifo,sjf", "--per-job", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert list(figures) == ["fifo", "sjf"]
    # In turn: 0-100; the gang of two nodes 100-150; both small ones 150-155 and 150-157.
    assert figures["fifo"]["mean_wait_s"] == pytest.approx((0 + 90 + 130 + 130) / 4)
    assert figures["fifo"]["mean_completion_s"] == pytest.approx((100 + 140 + 135 + 137) / 4)
    assert figures["fifo"]["makespan_s"] == 157
    assert figures["fifo"]["occupancy"] == pytest.approx((800 + 800 + 20 + 28) / (157 * 16))
    assert (figures["fifo"]["jobs"], figures["fifo"]["impossible"], figures["fifo"]["excluded"]) == (4, 1, 1)
    assert {"p99_wait_s", "preemptions", "wall_s", "jobs_per_s"} <= set(figures["fifo"])
    rows = times(tmp_path / "times-fifo.csv")
    assert [(row["submit_s"], row["start_s"], row["end_s"], row["accelerators"]) for row in rows] == [
        ("0", "0", "100", "8"),
        ("10", "100", "150", "16"),
        ("20", "150", "155", "4"),
        ("20", "150", "157", "4"),
        ("30", "", "", "64"),
    ]
    # The gang waits while the two that are shorter begin: nobody overtakes the shortest.
    shortest = times(tmp_path / "times-sjf.csv")
    assert [row["start_s"] for row in shortest] == ["0", "100", "20", "20", ""]


def test_times_are_gzipped_where_the_name_says_so(trace: Path, tmp_path: Path) -> None:
    options = ("simulate", trace, "--format", "philly", "--nodes", 2, "--policy", "fifo,sjf")
    for name in ("times.csv", "times.csv.gz"):
        done = run(*options, "--per-job", tmp_path / name)
        assert done.returncode == 0, done.stderr
    for policy in ("fifo", "sjf"):
        packed = (tmp_path / f"times-{policy}.csv.gz").read_bytes()
        assert gzip.decompress(packed) == (tmp_path / f"times-{policy}.csv").read_bytes()


def test_what_is_left_out_is_told_and_strict_refuses_it(trace: Path) -> None:
    done = run("simulate", trace, "--format", "philly", "--nodes", 2, "--policy", "fifo")
    assert done.returncode == 0, done.stderr
    assert "1 line is no job" in done.stderr
    assert "line 7" in done.stderr
    assert "1 job could run on no state of this fleet" in done.stderr
    strict = run("simulate", trace, "--format", "philly", "--nodes", 2, "--strict")
    assert strict.returncode != 0
    assert "line 7" in strict.stderr
    assert "duration" in strict.stderr
    lines = trace.read_text("utf-8").splitlines()
    sound = trace.with_name("sound.csv")
    sound.write_text("\n".join(lines[:6]) + "\n", "utf-8")
    wide = run("simulate", sound, "--format", "philly", "--nodes", 2, "--strict")
    assert wide.returncode != 0
    assert "sound, job" in wide.stderr
    assert "64 x any type" in wide.stderr
    assert run("simulate", sound, "--format", "philly", "--nodes", 8, "--strict").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "lottery", "--nodes", "2"], "policy"),
        (["--policy", "fifo,fifo", "--nodes", "2"], "each policy once"),
        ([], "--nodes N"),
        (["--nodes", "2", "--fleet", "fleet.toml"], "--nodes or --fleet"),
        (["--fleet", "no-such.toml"], "no-such.toml"),
        (["--nodes", "2", "--restart-cost", "soon"], "restart_cost"),
        (["--nodes", "2", "--per-job", "/proc/none/x.csv"], "/proc/none/x.csv"),
        (["--nodes", "2", "--report", "/dev/null/out"], "/dev/null is not"),
        (["--nodes", "2", "--policy", "cheapest"], "chooses by price"),
        (["--nodes", "2", "--price-book", "no-such.toml"], "no-such.toml"),
        (["--nodes", "2", "--currency", "CNY"], "belongs to a price book"),
        (["--nodes", "2", "--begins", "2026-03-02T00:00:00Z"], "belongs to a price book"),
        (["--nodes", "2", "--node-mtbf", "0s"], "node_mtbf"),
        (["--nodes", "2", "--drain", "no-such.toml"], "no-such.toml"),
    ],
)
def test_a_wrong_option_is_named(trace: Path, arguments: list[str], said: str) -> None:
    done = run("simulate", trace, "--format", "philly", *arguments)
    assert done.returncode not in (0, 1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_generated_trace_is_replayed_with_preemption(tmp_path: Path) -> None:
    fleet, out = tmp_path / "fleet.toml", tmp_path / "made.csv.gz"
    fleet.write_text('[[node]]\ntype = "a100-80g-sxm"\ncount = 6\naccelerators = 8\n')
    made = run(
        *("trace", "generate", out, "--jobs", 300, "--days", 2, "--tenants", 5),
        *("--load", "0.9", "--fleet", fleet, "--json"),
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["jobs"] == 300
    done = run("simulate", out, "--fleet", fleet, "--policy", "las", "--preemptible", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["las"]
    assert figures["jobs"] == 300
    assert figures["preemptions"] > 0
    assert figures["lost_accelerator_hours"] > 0


def test_a_small_trace_has_no_more_tenants_than_jobs(tmp_path: Path) -> None:
    made = run("trace", "generate", tmp_path / "few.csv", "--jobs", 10, "--days", 1, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["tenants"] == 10
    named = run("trace", "generate", tmp_path / "few.csv", "--jobs", 10, "--days", 1, "--tenants", 11)
    assert named.returncode != 0
    assert "from 1 to 10" in named.stderr


def test_any_format_becomes_petahours_own(trace: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    assert run("trace", "convert", trace, own, "--format", "philly").returncode == 0
    both = [
        json.loads(run("simulate", path, "--format", name, "--nodes", 2, "--policy", "fifo", "--json").stdout)["fifo"]
        for path, name in ((trace, "philly"), (own, "petahour"))
    ]
    assert both[0]["mean_completion_s"] == both[1]["mean_completion_s"]
    listed = run("trace", "formats", "--json")
    assert {"philly", "petahour", "helios", "acme", "openb", "gavel", "sia", "muri", "swf"} <= set(
        json.loads(listed.stdout)
    )


def test_a_price_book_bills_every_run(trace: Path, tmp_path: Path) -> None:
    book = tmp_path / "prices.toml"
    book.write_text(
        '[[price_book]]\nid = "p"\ncurrency = "CNY"\neffective = 2026-01-01T00:00:00Z\n'
        '[price_book.prices.accelerator]\non-demand = "36.00"\n'
    )
    options = ("simulate", trace, "--format", "philly", "--nodes", 2, "--policy", "fifo", "--price-book", book)
    done = run(*options, "--audit", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["fifo"]
    # 0.01 per accelerator-second; 1,648 of them.
    assert (figures["currency"], figures["revenue_micros"]) == ("CNY", 16_480_000)
    assert {(line["tenant"], line["tier"]): line["billed_ams"] for line in figures["bill"]} == {
        ("a", "on-demand"): 1_600_000,
        ("b", "on-demand"): 48_000,
    }
    wrong = run(*options, "--begins", "2026-03-02")
    assert wrong.returncode not in (0, 1)
    assert "a date and time with its zone" in wrong.stderr
    unpriced = run(*options, "--preemptible")
    assert unpriced.returncode not in (0, 1)
    assert "accelerator/spot" in unpriced.stderr
