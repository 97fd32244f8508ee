"""Where the work ran: a Gantt chart of few runs, a heat map of nodes and time of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.report.cases import Case
from petahour.simulator.report.levels import mean_levels
from petahour.simulator.report.plots.service import top_tenants
from petahour.simulator.report.plots.style import (
    COLOURS,
    GRID,
    GROUND,
    LEFT_IN,
    MUTED,
    OTHERS,
    WIDTH_IN,
    Plot,
    TimeAxis,
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS, MOST_NODES = 600, 24  # beyond either, bars are too many to be told apart
_BINS, _BANDS = 300, 72
_BAND_NAMES = 6
_RIGHT_IN, _SCALE_IN = 2.2, 0.62  # beside the panels: names of types or tenants, and of it the scale of the tints
_LETTER_IN, _BESIDE_IN = 0.075, 0.15  # of a node's name: an average letter, and what stands on both sides of it


def plot_nodes(cases: Sequence[Case]) -> Plot:
    """One panel per case. Bars: each run on its nodes, in its tenant's colour. Heat map: the share held."""
    bars = all(fits_bars(case) for case in cases)
    axis = time_axis(cases, bins=_BINS)
    title = _title(cases)
    with styled("nodes"):
        nodes = max(len(case.result.nodes) for case in cases)
        each_in = max(0.8, 0.2 * nodes) if bars else 1.9
        left_in = max(LEFT_IN, _names_in(cases)) if bars else LEFT_IN
        made, axes = panels(len(cases), each_in=each_in, left_in=left_in, right_in=_RIGHT_IN)
        tenants = top_tenants(cases[0])
        for case, panel in zip(cases, axes, strict=True):
            if bars:
                _draw_bars(panel, case, tenants, axis)
            else:
                _draw_heat(panel, case, axis)
            put_panel_name(panel, case.label)
        label_time(axes[-1], axis)
        if bars:
            _key_tenants(axes[0], cases, tenants)
        else:
            _key_heat(axes[0])
        told = "Each run on its nodes, a bar as high as the accelerators it holds there"
        heat = "Share of the accelerators held, in cells of neighbouring nodes and of time"
        put_title(made, title, told if bars else heat)
        return drawn("nodes", title, made)


def fits_bars(case: Case) -> bool:
    """Whether each run can have a bar of its own."""
    return len(case.result.placements.run) <= MOST_BARS and len(case.result.nodes) <= MOST_NODES


def held_by_band(case: Case, edges_ms: NDArray[np.float64], bands: int) -> NDArray[np.float64]:
    """The share of accelerators held in each band of neighbouring nodes and each bin, from 0 to 1."""
    result = case.result
    placements = result.placements
    band = band_of(len(result.nodes), bands)
    size = np.bincount(band, [node.accelerators for node in result.nodes], minlength=bands)
    held = mean_levels(
        band[placements.node],
        result.runs.start_ms[placements.run],
        result.runs.end_ms[placements.run],
        placements.accelerators.astype(np.int64),
        rows=bands,
        edges_ms=edges_ms,
    )
    return np.asarray(np.clip(held / np.maximum(size, 1)[:, None], 0.0, 1.0), np.float64)


def band_of(nodes: int, bands: int) -> NDArray[np.int64]:
    """The band of each node: neighbours, as evenly many as they come."""
    return np.arange(nodes, dtype=np.int64) * bands // max(nodes, 1)


def lanes(
    start_ms: Sequence[int], end_ms: Sequence[int], count: Sequence[int], width: int
) -> list[tuple[int, int, int]]:
    """(placement, lane, lanes) pieces of bars on one node, so that no two of them lie on each other.

    A placement takes the lowest lanes free at its start and keeps them. Placements come by start.
    """
    free_ms = [-1] * width
    pieces = []
    for place, (start, end, wanted) in enumerate(zip(start_ms, end_ms, count, strict=True)):
        taken = [lane for lane in range(width) if free_ms[lane] <= start][:wanted]
        for lane in taken:
            free_ms[lane] = end
        first = 0
        for at in range(1, len(taken) + 1):
            if at == len(taken) or taken[at] != taken[at - 1] + 1:
                pieces.append((place, taken[first], at - first))
                first = at
    return pieces


def _names_in(cases: Sequence[Case]) -> float:
    """The room that the longest name of a node takes: it begins with the type, which must not be cut off."""
    return _BESIDE_IN + _LETTER_IN * max(len(label(node.name)) for case in cases for node in case.result.nodes)


def _draw_bars(panel: Axes, case: Case, tenants: Sequence[str], axis: TimeAxis) -> None:
    result, asked = case.result, case.asked
    placements, runs = result.placements, result.runs
    colours = {name: colour_of(place) for place, name in enumerate(tenants)}
    per_ms = axis.edges[-1] / (axis.edges_ms[-1] - axis.edges_ms[0])
    for number, node in enumerate(result.nodes):
        mine = np.flatnonzero(placements.node == number)
        mine = mine[np.argsort(runs.start_ms[placements.run[mine]], kind="stable")]
        start_ms, end_ms = runs.start_ms[placements.run[mine]], runs.end_ms[placements.run[mine]]
        count = placements.accelerators[mine].tolist()
        for place, lane, height in lanes(start_ms.tolist(), end_ms.tolist(), count, node.accelerators):
            tenant = asked.tenants[asked.tenant[runs.job[placements.run[mine[place]]]]]
            panel.broken_barh(
                [
                    (
                        float(start_ms[place] - axis.edges_ms[0]) * per_ms,
                        float(end_ms[place] - start_ms[place]) * per_ms,
                    )
                ],
                (number - 0.42 + 0.84 * lane / node.accelerators, 0.84 * height / node.accelerators),
                facecolor=colours.get(tenant, OTHERS),
                edgecolor=GROUND,
                linewidth=0.4,
            )
    panel.set_ylim(len(result.nodes) - 0.5, -0.5)
    panel.set_yticks(range(len(result.nodes)), [label(node.name) for node in result.nodes])
    panel.tick_params(axis="y", length=0)
    for number in range(1, len(result.nodes)):
        panel.axhline(number - 0.5, color=GRID, lw=0.6, zorder=0)


def _draw_heat(panel: Axes, case: Case, axis: TimeAxis) -> None:
    nodes = len(case.result.nodes)
    bands = min(nodes, _BANDS)
    share = held_by_band(case, axis.edges_ms, bands)
    panel.imshow(
        _tinted(share),
        aspect="auto",
        interpolation="none",
        extent=(0.0, float(axis.edges[-1]), float(nodes), 0.0),
    )
    panel.set_ylim(nodes, 0)
    panel.set_ylabel("node")
    panel.locator_params(axis="y", nbins=4, integer=True)
    starts = [n for n in range(1, nodes) if case.result.nodes[n].type != case.result.nodes[n - 1].type]
    if 0 < len(starts) < _BAND_NAMES:
        for start, end in zip([0, *starts], [*starts, nodes], strict=True):
            name = label(case.result.nodes[start].type)
            panel.annotate(
                name, (1.008, 1 - (start + end) / 2 / nodes), xycoords="axes fraction", va="center", color=MUTED
            )
            if start:
                panel.axhline(start, color=MUTED, lw=0.6)


def _tinted(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """One hue from clear to full, so that what is idle shows the page, be it light or dark."""
    hue = [int(COLOURS[0][at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return np.dstack([*(np.full_like(share, part) for part in hue), share])


def _key_heat(panel: Axes) -> None:
    """A scale of the tints beside the first panel, to the right of the names of types."""
    width_in = panel.get_position().width * WIDTH_IN
    scale = panel.inset_axes((1 + (_RIGHT_IN - _SCALE_IN) / width_in, 0.0, 0.08 / width_in, 0.8))
    scale.imshow(
        _tinted(np.linspace(1, 0, 20)[:, None]), aspect="auto", interpolation="none", extent=(0.0, 1.0, 0.0, 100.0)
    )
    scale.set(xticks=(), yticks=(0, 50, 100))
    scale.yaxis.tick_right()
    scale.spines[:].set_visible(True)
    scale.tick_params(length=2)
    scale.text(0, 1.08, "held (%)", transform=scale.transAxes, color=MUTED, va="bottom")


def _key_tenants(panel: Axes, cases: Sequence[Case], tenants: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour_of(place), label=label(name)) for place, name in enumerate(tenants)]
    if any(len(case.asked.tenants) > len(tenants) for case in cases):
        handles.append(Patch(color=OTHERS, label="all others"))
    if handles:
        panel.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.04),
            labelcolor=MUTED,
            handlelength=0.9,
            handleheight=0.9,
        )


def _title(cases: Sequence[Case]) -> str:
    nodes = len(cases[0].result.nodes)
    accelerators = sum(node.accelerators for node in cases[0].result.nodes)
    runs = [len(case.result.runs.job) for case in cases]
    shown = f"{runs[0]:,}" if min(runs) == max(runs) else f"{min(runs):,} to {max(runs):,}"
    return f"Where {shown} runs lay on {nodes:,} nodes of {accelerators:,} accelerators"
