"""How long jobs wait: the share of them that has started within a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petahour.model.time import SECOND_MS
from petahour.simulator.report.cases import Case
from petahour.simulator.report.measures import share_text, span_text
from petahour.simulator.report.plots.style import (
    BOTTOM_IN,
    LEFT_IN,
    MUTED,
    TOP_IN,
    WIDTH_IN,
    Plot,
    colour_of,
    drawn,
    figure,
    label,
    put_title,
    styled,
)

_POINTS = 500
_LEAST_S = 1.0  # the axis is logarithmic: what waits less stands at its left end
_TICKS_S = (
    (1, "1 s"),
    (10, "10 s"),
    (60, "1 min"),
    (600, "10 min"),
    (3_600, "1 h"),
    (6 * 3_600, "6 h"),
    (86_400, "1 d"),
    (7 * 86_400, "1 week"),
    (30 * 86_400, "30 d"),
    (365 * 86_400, "1 year"),
)


def plot_waiting(cases: Sequence[Case]) -> Plot:
    """One line per case over all jobs that started, from submission to the first start."""
    waits = [waits_s(case) for case in cases]
    title = _title(cases, waits)
    with styled("waiting"):
        height_in = 4.2
        made = figure(height_in=height_in)
        axes = made.add_axes(
            (
                LEFT_IN / WIDTH_IN,
                BOTTOM_IN / height_in,
                1 - (LEFT_IN + 1.55) / WIDTH_IN,
                1 - (TOP_IN - 0.12 + BOTTOM_IN) / height_in,
            )
        )
        longest_s = max([60.0, *(float(held.max()) for held in waits if held.size)]) * 1.3
        for place, (case, held) in enumerate(zip(cases, waits, strict=True)):
            at_s, share = cumulative(held)
            axes.step(
                np.append(np.maximum(at_s, _LEAST_S), longest_s),
                100 * np.append(share, share[-1] if share.size else 0.0),
                where="post",
                color=colour_of(place),
                lw=1.6,
                label=label(case.label),
            )
        ticks = [(at, name) for at, name in _TICKS_S if at <= longest_s]
        axes.set_xscale("log")
        axes.set(xlim=(_LEAST_S, longest_s), ylim=(0, 101), yticks=(0, 25, 50, 75, 100))
        axes.set_xticks([at for at, _ in ticks], [name for _, name in ticks])
        axes.minorticks_off()
        axes.grid()
        axes.set_axisbelow(True)
        axes.set(xlabel="time from submission to the first start", ylabel="jobs started (%)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), labelcolor=MUTED, handlelength=1.4)
        put_title(
            made, title, "Share of the jobs that have started within a time (logarithmic; up to 1 s at the left end)"
        )
        return drawn("waiting", title, made)


def waits_s(case: Case) -> NDArray[np.float64]:
    """The waits of all jobs that started, in order."""
    started = case.result.jobs.start_ms >= 0
    return np.sort((case.result.jobs.start_ms - case.asked.submit_ms)[started]) / SECOND_MS


def cumulative(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(value, share of the values up to it), thinned to what the eye can tell apart; both rise."""
    count = len(ordered)
    if not count:
        return np.zeros(0), np.zeros(0)
    places = np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(np.int64))
    return ordered[places], (places + 1) / count


def _title(cases: Sequence[Case], waits: Sequence[NDArray[np.float64]]) -> str:
    medians = {
        label(case.label): float(np.median(held)) for case, held in zip(cases, waits, strict=True) if held.size
    }
    if not medians:
        return "No job started"
    best, worst = min(medians, key=lambda name: medians[name]), max(medians, key=lambda name: medians[name])
    if medians[worst] == 0:
        return _at_once(cases, waits)
    if medians[best] == medians[worst]:
        return f"Half of the jobs start {_within(medians[best])}"
    return (
        f"Half of the jobs start {_within(medians[best])} under {best}, {_within(medians[worst])} under {worst}"
    )  # fmt: skip


def _at_once(cases: Sequence[Case], waits: Sequence[NDArray[np.float64]]) -> str:
    """Where more than half do so under every case, how many do tells more than that half of them do."""
    shares = {
        label(case.label): float((held == 0).mean()) for case, held in zip(cases, waits, strict=True) if held.size
    }
    best, worst = max(shares, key=lambda name: shares[name]), min(shares, key=lambda name: shares[name])
    most, least = share_text(shares[best]), share_text(shares[worst])
    if most == least:
        return f"{most} of the jobs start at once"
    return f"{most} of the jobs start at once under {best}, {least} under {worst}"


def _within(span_s: float) -> str:
    return "at once" if span_s == 0 else f"within {span_text(span_s)}"
