"""Who is served when: accelerators held by each tenant over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.report.cases import Case
from petahour.simulator.report.levels import busy_time_ms, mean_levels
from petahour.simulator.report.plots.style import (
    MUTED,
    OTHERS,
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

TOP = 8  # so many tenants have a colour of their own
_BINS = 240


def plot_service(cases: Sequence[Case]) -> Plot:
    """One panel per case, the tenants stacked: those with most service in the first case, and all others together."""
    from matplotlib.patches import Patch

    chosen = top_tenants(cases[0])
    title = _title(cases[0], chosen)
    axis = time_axis(cases, bins=_BINS)
    most = max(sum(node.accelerators for node in case.result.nodes) for case in cases)
    with styled("service"):
        made, axes = panels(len(cases), each_in=2.6 if len(cases) == 1 else 1.1, right_in=1.9)
        others = False
        for case, panel in zip(cases, axes, strict=True):
            levels = service_levels(case, chosen, axis.edges_ms)
            others = others or bool(levels[-1].any())
            base = np.zeros(levels.shape[1])
            for place, level in enumerate(levels):
                colour = colour_of(place) if place < len(chosen) else OTHERS
                panel.stairs(base + level, axis.edges, baseline=base, fill=True, color=colour, lw=0)
                base = base + level
            panel.set_ylim(0, most * 1.02)
            panel.locator_params(axis="y", nbins=4, integer=True)
            panel.grid(axis="y")
            panel.set_axisbelow(True)
            put_panel_name(panel, case.label)
        axes[len(axes) // 2].set_ylabel("accelerators held")
        label_time(axes[-1], axis)
        handles = [Patch(color=colour_of(place), label=label(name)) for place, name in enumerate(chosen)]
        if others:
            handles.append(Patch(color=OTHERS, label="all others"))
        # The legend reads from the top as the layers do.
        axes[0].legend(
            handles=handles[::-1],
            loc="upper left",
            bbox_to_anchor=(1.01, 1.04),
            labelcolor=MUTED,
            handlelength=0.9,
            handleheight=0.9,
        )
        put_title(made, title, "Accelerators held by each tenant, stacked; the axis ends at the fleet's size")
        return drawn("service", title, made)


def top_tenants(case: Case) -> tuple[str, ...]:
    """The tenants with most accelerator time, the most served first."""
    asked, runs = case.asked, case.result.runs
    held_ms = (runs.end_ms - runs.start_ms) * runs.accelerators.astype(np.int64)
    sums = np.bincount(asked.tenant[runs.job], held_ms, minlength=len(asked.tenants))
    return tuple(asked.tenants[number] for number in np.argsort(-sums, kind="stable")[:TOP] if sums[number] > 0)


def service_levels(case: Case, chosen: Sequence[str], edges_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean accelerators held per bin: a row for each chosen tenant, and a last one for all others."""
    asked, runs = case.asked, case.result.runs
    places = {name: place for place, name in enumerate(chosen)}
    row = np.array([places.get(name, len(chosen)) for name in asked.tenants], np.int64)
    return mean_levels(
        row[asked.tenant[runs.job]],
        runs.start_ms,
        runs.end_ms,
        runs.accelerators.astype(np.int64),
        rows=len(chosen) + 1,
        edges_ms=edges_ms,
    )


def _title(case: Case, chosen: Sequence[str]) -> str:
    if not chosen:
        return "No tenant was served"
    if len(case.asked.tenants) == 1:
        return f"All service goes to one tenant, {label(chosen[0])}"
    asked, runs = case.asked, case.result.runs
    mine = runs.accelerators.astype(np.int64) * (runs.end_ms - runs.start_ms)
    first_ms = int(mine[asked.tenant[runs.job] == asked.tenants.index(chosen[0])].sum())
    share = f"{100 * first_ms / max(1, busy_time_ms(case.result)):.0f} %"
    tenants = f"{len(asked.tenants)} tenants' accelerator time"
    return f"{label(chosen[0])} takes the most of the service, {share} of {tenants}"
