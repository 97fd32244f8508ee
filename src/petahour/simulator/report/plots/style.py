"""Style: one look for all plots, on white and on dark pages, and SVG without anything that points outside."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from petahour.simulator.report.cases import Case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, GROUND = "#1c2733", "#66717e", "#dfe4ea", "#ffffff"
# Of middling lightness, so that they stand out on white and on near-black alike, and are told apart by most
# people with a colour weakness; neighbours in the list differ in lightness too.
COLOURS = ("#2f7bbf", "#e0862b", "#2a9d80", "#c8504f", "#8a6bbf", "#b5a02a", "#5fb0d8", "#b5719c")
OTHERS = "#98a3ae"
WIDTH_IN, LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 10.0, 0.72, 0.3, 0.8, 0.52
_LONGEST_LABEL = 22

_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "image.composite_image": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": GROUND,
    "axes.facecolor": "none",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A plot as SVG text. ``title`` states what is seen."""

    name: str
    title: str
    svg: str

    def inline(self) -> str:
        """The SVG for an HTML page: its ink follows the page's, its ground is the page's, its font the page's."""
        svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", self.svg, flags=re.DOTALL)
        svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
        # The groups' ids recur in every plot; those that are referred to are hashes and differ.
        svg = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", svg)
        for colour, variable in ((INK, "ink"), (MUTED, "muted"), (GRID, "grid"), (GROUND, "ground")):
            svg = re.sub(rf"{colour}\b", f"var(--{variable})", svg)
        return re.sub(r"(?<=font: )(.*?px) [^;\"]*", r"\1 var(--font)", svg).strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeAxis:
    """Bins over all cases' spans. ``edges`` are in the ``unit`` that the axis is labelled with, from 0."""

    edges_ms: NDArray[np.float64]
    edges: NDArray[np.float64]
    unit: str


def figure(*, height_in: float) -> Figure:
    """A figure of the common width that belongs to no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN, height_in))


def panels(
    count: int, *, each_in: float, gap_in: float = 0.34, left_in: float = LEFT_IN, right_in: float = RIGHT_IN
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels below each other over one x axis, with room for the title."""
    height_in = TOP_IN + BOTTOM_IN + count * each_in + (count - 1) * gap_in
    made = figure(height_in=height_in)
    axes = made.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    made.subplots_adjust(
        left=left_in / WIDTH_IN,
        right=1 - right_in / WIDTH_IN,
        top=1 - TOP_IN / height_in,
        bottom=BOTTOM_IN / height_in,
        hspace=gap_in / each_in,
    )
    return made, list(axes)


def put_title(made: Figure, title: str, subtitle: str) -> None:
    """The finding in bold, and below it what is drawn."""
    height_in = made.get_figheight()
    x = 0.12 / WIDTH_IN
    for text, down_in, size, weight, colour in (
        (title, 0.1, 11.5, "bold", INK),
        (subtitle, 0.33, 8.5, "normal", MUTED),
    ):
        made.text(
            x,
            1 - down_in / height_in,
            text,
            size=size,
            weight=weight,
            color=colour,
            va="top",
            parse_math=False,
        )


def put_panel_name(axes: Axes, name: str, told: str = "", *, colour: str = INK) -> None:
    """The panel's name above its left corner, and a figure above its right one."""
    axes.text(
        0, 1.03, label(name), transform=axes.transAxes, weight="bold", color=colour, va="bottom", parse_math=False
    )
    axes.text(1, 1.03, told, transform=axes.transAxes, color=MUTED, ha="right", va="bottom", parse_math=False)


def label(name: str) -> str:
    """A name that fits: short, on one line, without what SVG cannot hold, never taken for a hidden one."""
    clean = "".join(char if char.isprintable() else " " for char in name)
    short = clean if len(clean) <= _LONGEST_LABEL else clean[: _LONGEST_LABEL - 3] + "..."
    return f" {short}" if short.startswith("_") else short


def colour_of(place: int) -> str:
    """The colour of the n-th series; they recur after the last."""
    return COLOURS[place % len(COLOURS)]


def time_axis(cases: Sequence[Case], *, bins: int) -> TimeAxis:
    """Bins from the first submission to the last end of all cases."""
    first_ms = min(case.first_ms for case in cases)
    last_ms = max(max(case.last_ms for case in cases), first_ms + 1)
    span_s = (last_ms - first_ms) / 1000
    unit_s, unit = next(
        (unit_s, name)
        for unit_s, name, least in (
            (86_400.0, "days", 4),
            (3_600.0, "hours", 3),
            (60.0, "minutes", 3),
            (1.0, "seconds", 0),
        )
        if span_s >= least * unit_s
    )
    edges_ms = np.linspace(first_ms, last_ms, bins + 1)
    return TimeAxis(edges_ms=edges_ms, edges=(edges_ms - first_ms) / 1000 / unit_s, unit=unit)


def label_time(axes: Axes, axis: TimeAxis) -> None:
    """Name the time axis and end it where the last case ends."""
    axes.set_xlim(0, axis.edges[-1])
    axes.set_xlabel(f"{axis.unit} since the first submission")


def drawn(name: str, title: str, made: Figure) -> Plot:
    """The figure as SVG: the same bytes for the same data."""
    out = StringIO()
    with warnings.catch_warnings():
        # The viewer's font draws the text; that the font for measuring lacks a character matters to nobody.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        made.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Title": label(title)})
    return Plot(name=name, title=title, svg=out.getvalue())


def styled(name: str) -> AbstractContextManager[None]:
    """The settings in force while one plot is made; ``name`` keeps its ids apart from other plots'."""
    import matplotlib as mpl

    # The settings' names are text to whoever types this; matplotlib checks them when they are set.
    return cast("AbstractContextManager[None]", mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}))  # type: ignore[dict-item]
