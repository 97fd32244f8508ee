"""The demonstration, for real: a control plane, jobs as processes, preemption, resumption, invoices."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from petahour.cli.main import run

DEMO = [sys.executable, "-m", "petahour.cli.main", "demo"]
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "billing.md"
BLOCK = re.compile(r"```\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("engine", ["local", "slurm"])
def test_every_expectation_holds_and_one_object_says_so(tmp_path: Path, engine: str) -> None:
    directory = tmp_path / "demo"
    done = subprocess.run(
        [*DEMO, "--json", "--engine", engine, "--data-dir", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [item["name"] for item in result["expectations"] if not item["ok"]] == []
    assert {job["name"]: job["state"] for job in result["jobs"]} == {
        "calibration": "succeeded",
        "char-lm": "succeeded",
        "spot-lm": "succeeded",
        "evaluation": "succeeded",
        "fine-tune": "succeeded",
        "urgent-gang": "succeeded",
        "broken": "failed",
    }
    assert {invoice["currency"] for invoice in result["invoices"]} == {"CNY", "USD"}
    (outcome,) = result["accuracy"]["outcomes"]
    quoted = result["quote"]["lines"][0]
    price = next(one for one in quoted["prices"] if one["tier"] == "on-demand")["total_micros"]
    assert quoted["run_ms"]["low"] <= outcome["run_ms"] <= quoted["run_ms"]["high"]
    assert price["low"] <= outcome["charged_micros"] <= price["high"]
    for invoice in result["invoices"]:
        assert sum(line["amount_micros"] for line in invoice["lines"]) == invoice["total_micros"] > 0
    assert [document["state"] for document in result["issued"]] == ["paid", "paid"]
    for document in result["issued"]:
        assert sum(line["amount_micros"] for line in document["lines"]) == document["net_micros"] > 0
    pages = sorted((directory / "invoices").iterdir())
    assert [page.suffix for page in pages] == [".pdf"] * 4
    assert all(page.read_bytes().startswith(b"%PDF-") for page in pages)
    sums = result["conservation"]
    assert sums["billed"] + sums["waived"] + sums["idle"] + sums["down"] == sums["capacity"]
    assert result["preemption"]["saved_step"] == result["preemption"]["resumed_step"] > 0
    assert result["wall_s"] < 90
    assert (directory / "data" / "petahour.db").exists()
    assert _processes_of(directory) == []
    if engine == "local":
        _type_the_guide(directory, result["issued"][0]["number"], result["issued"][0]["month"])


def _type_the_guide(directory: Path, number: str, month: str) -> None:
    """Every command of the guide to billing runs on what the demonstration left, as it stands there."""
    text = GUIDE.read_text("utf-8").replace("\\\n", " ")
    text = text.replace("DEMO2026-00001", number).replace("2026-11", month)
    typed = [line.removeprefix("$ ") for block in BLOCK.findall(text) for line in block.splitlines()]
    typed = [line for line in typed if line.startswith("petahour ") and "--data-dir data" in line]
    assert len(typed) > 15
    for line in typed:
        words = shlex.split(line, comments=True)[1:]
        with contextlib.chdir(directory):
            code = run(words)
        assert code == 0, line


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    with subprocess.Popen([*DEMO, "--data-dir", str(directory)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "starting -> running" in line:
                break
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() == 130
    deadline_s = time.monotonic() + 10
    while _processes_of(directory) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert _processes_of(directory) == []


def _processes_of(directory: Path) -> list[str]:
    """Command lines of processes that name the directory or work in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if any(str(directory) in word for word in words):
            found.append(" ".join(words))
    return found
