"""What every benchmark prints: a table for people, JSON for machines, the machine it ran on, ratios to baselines."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure. ``baseline`` is measured in the same run; ``ratio`` = value / baseline."""

    name: str
    value: float
    unit: str
    baseline_name: str
    baseline: float
    target: str = ""
    ok: bool | None = None

    @property
    def ratio(self) -> float:
        return self.value / self.baseline if self.baseline else float("nan")


def machine() -> dict[str, object]:
    """Cores, processor and Python of this machine."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {"cores": len(os.sched_getaffinity(0)), "processor": model, "python": platform.python_version()}


def show(title: str, figures: Sequence[Figure]) -> int:
    """Print table and JSON; the exit status is 1 when a target was missed."""
    about = machine()
    print(f"# {title} ({about['cores']} cores, {about['processor']}, Python {about['python']})\n")
    print("| figure | measured | target | baseline in the same run | ratio |")
    print("| --- | ---: | --- | --- | ---: |")
    for figure in figures:
        mark = "" if figure.ok is None else (" ok" if figure.ok else " MISSED")
        baseline = f"{figure.baseline_name}: {figure.baseline:,.2f} {figure.unit}"
        print(
            f"| {figure.name} | {figure.value:,.1f} {figure.unit} | {figure.target}{mark} | {baseline} "
            f"| {figure.ratio:,.2f} |"
        )
    rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
    print("\n" + json.dumps({"title": title, "machine": about, "figures": rows}))
    return 1 if any(figure.ok is False for figure in figures) else 0


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]
