"""The accuracy program: what it predicts from files, and what it leaves out with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "benchmarks" / "quote" / "accuracy.py"

VTRAIN = """\
# GPUs,global batch,micro batch,hidden size,attention heads,# layers,sequence length,tensor parallelism,\
data parallelism,pipeline parallelism,iteration time (ms)
8,16,2,2048,16,24,1024,1,8,1,200
8,16,2,2048,16,24,1024,2,8,1,200
8,16,2,2048,16,24,1024,3,1,2,200
6,12,2,2048,16,24,1024,3,1,2,200
8,4,2,2048,16,24,1024,1,8,1,200
8,16,,2048,16,24,1024,1,8,1,200
8,16,2,2048,16,24,1024,1,8,1,nan
8,16,2,2048,16,24,1024,1,8,1
"""
REASONS = (
    "TP x PP x DP is 16, not the 8 GPUs",
    "TP x PP x DP is 6, not the 8 GPUs",
    "plan.tp: a divisor of the 16 heads",
    "batch: at least the 8 data-parallel ranks",
    "no 'micro batch'",
    "'iteration time (ms)' is not above zero: 'nan'",
    "no 'iteration time (ms)'",
)


def run(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments, "--json"], capture_output=True, text=True, check=True, timeout=120
    )
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_published_runs_are_predicted_and_all_of_them_fit() -> None:
    told = run("--runs", str(ROOT / "benchmarks" / "quote" / "ten_runs.csv"))
    tables = told["tables"]
    assert isinstance(tables, list)
    by_name = {table["name"]: table for table in tables}
    assert by_name["runs: hours"]["rows"] + by_name["runs: steps"]["rows"] == 10
    assert told["rejected"] == []
    assert all(table["fits"] == 100 for table in tables)
    assert abs(by_name["runs: LLaMA, OPT, BLOOM hours"]["largest"]) < 20
    assert by_name["runs: steps"]["mape"] < 10


def test_lines_that_cannot_be_predicted_are_left_out_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(VTRAIN, encoding="utf-8")
    told = run("--vtrain-single", str(file))
    rejected = told["rejected"]
    assert isinstance(rejected, list)
    found = [line["reason"] for line in rejected]
    assert len(found) == len(REASONS)
    assert all(reason in line for line, reason in zip(found, REASONS, strict=True))
    tables = told["tables"]
    assert isinstance(tables, list)
    assert [table["rows"] for table in tables] == [1]
