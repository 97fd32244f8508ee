"""Spread: the mean of a figure over seeds, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import atan, cos, isfinite, nan, pi, sin, sqrt
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The mean of ``count`` values and the half width of its 95 % confidence interval; NaN of fewer than two.

    The interval is Student's: mean +- t x s / sqrt(n), for values that vary about normally.
    """

    mean: float
    half: float
    count: int


NOTHING = Spread(mean=nan, half=nan, count=0)


def spread_of(values: Sequence[float]) -> Spread:
    """Of the finite values among these."""
    known = [value for value in values if isfinite(value)]
    if not known:
        return NOTHING
    if len(known) == 1:
        return Spread(mean=known[0], half=nan, count=1)
    half = student(len(known) - 1) * stdev(known) / sqrt(len(known))
    return Spread(mean=fmean(known), half=half, count=len(known))


@cache
def student(freedom: int) -> float:
    """The t of which Student's distribution with so many degrees of freedom has 95 % within -t and t.

    By bisection of the distribution's closed form for whole degrees of freedom (Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, 64.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < CONFIDENCE else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """The part of the distribution within -t and t."""
    angle = atan(t / sqrt(freedom))
    term = total = 1.0 if freedom % 2 == 0 else cos(angle)
    for step in range(2 if freedom % 2 else 1, freedom - 2, 2):
        term *= step / (step + 1) * cos(angle) ** 2
        total += term
    if freedom % 2 == 0:
        return sin(angle) * total
    return (angle + (sin(angle) * total if freedom > 1 else 0.0)) * 2 / pi
