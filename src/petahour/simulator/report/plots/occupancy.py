"""How much of the fleet is held over time, policy by policy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.report.cases import Case
from petahour.simulator.report.levels import busy_time_ms, capacity_levels, capacity_time_ms, mean_levels
from petahour.simulator.report.plots.style import (
    MUTED,
    Plot,
    colour_of,
    drawn,
    label,
    label_time,
    panels,
    put_panel_name,
    put_title,
    styled,
    time_axis,
)

_BINS = 360


def plot_occupancy(cases: Sequence[Case]) -> Plot:
    """One panel per case: accelerators held, in percent of those in service; the first is traced in the others."""
    title = _title(cases)
    axis = time_axis(cases, bins=_BINS)
    with styled("occupancy"):
        made, axes = panels(len(cases), each_in=2.4 if len(cases) == 1 else 0.95)
        levels = [100 * held_share(case, axis.edges_ms) for case in cases]
        for place, (case, panel, level) in enumerate(zip(cases, axes, levels, strict=True)):
            colour = colour_of(place)
            panel.fill_between(axis.edges, np.append(level, level[-1]), step="post", color=colour, alpha=0.28, lw=0)
            panel.stairs(level, axis.edges, color=colour, lw=1.0, baseline=None)
            if place:
                panel.stairs(levels[0], axis.edges, color=MUTED, lw=0.6, baseline=None)
            panel.set(ylim=(0, 104), yticks=(0, 50, 100))
            panel.grid(axis="y")
            panel.set_axisbelow(True)
            put_panel_name(panel, case.label, _told(case))
        axes[len(axes) // 2].set_ylabel("accelerators held (%)")
        label_time(axes[-1], axis)
        ghost = f"; the thin line is {label(cases[0].label)}" if len(cases) > 1 else ""
        put_title(made, title, f"Accelerators held by jobs, in percent of those in service{ghost}")
        return drawn("occupancy", title, made)


def held_share(case: Case, edges_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the accelerators in service that runs hold, per bin; 0 where none is in service."""
    runs = case.result.runs
    height = runs.accelerators.astype(np.int64)
    held = mean_levels(
        np.zeros_like(height), runs.start_ms, runs.end_ms, height, rows=1, edges_ms=edges_ms
    ).ravel()  # fmt: skip
    service = capacity_levels(case.result.capacity, edges_ms)
    return np.divide(held, service, out=np.zeros_like(held), where=service > 0)


def _mean(case: Case) -> float:
    service_ms = capacity_time_ms(case.result.capacity, case.first_ms, case.last_ms)
    return busy_time_ms(case.result) / service_ms if service_ms else float("nan")


def _told(case: Case) -> str:
    mean = _mean(case)
    return f"{100 * mean:.1f} % until its last end" if isfinite(mean) else "nothing ran"


def _title(cases: Sequence[Case]) -> str:
    means = {case.label: _mean(case) for case in cases}
    known = {name: mean for name, mean in means.items() if isfinite(mean)}
    if not known:
        return "Nothing ran"
    most, least = max(known, key=lambda name: known[name]), min(known, key=lambda name: known[name])
    shown, other = f"{100 * known[most]:.1f} %", f"{100 * known[least]:.1f} %"
    if len(known) == 1:
        return f"{label(most)} holds {shown} of the fleet until its last job ends"
    if shown == other:
        return f"Every policy holds {shown} of the fleet until its last job ends"
    return f"{label(most)} holds the most of the fleet, {shown} on average; {label(least)} the least, {other}"
