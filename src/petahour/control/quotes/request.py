"""A quote as asked for: text and numbers from outside, before any rule was applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteRequest:
    """What is to be quoted: exactly one of ``model`` (a name), ``config`` (a config.json), ``measured`` (a job whose
    output told its throughput) and ``hours`` (plain accelerator-hours), and what goes with it.

    ``amount`` goes with ``measured``: how many of its units. ``types`` empty: all that there are. ``gang`` is a
    number of accelerators, None: the best; ``plan`` says how the model lies on them, None: the fastest that fits.
    ``deadline`` is a duration that the run may take at most.
    """

    model: str | None = None
    config: Mapping[str, object] | None = None
    measured: str | None = None
    hours: float | None = None
    tokens: str | int | None = None
    sequence: int | None = None
    batch: int | None = None
    amount: str | int | None = None
    types: tuple[str, ...] = ()
    gang: int | None = None
    plan: str | None = None
    objective: str = "cheapest"
    deadline: str | int | None = None
    tier: str = "on-demand"
    tenant: str | None = None
