"""The catalogue as the API answers with it: types of accelerators, their figures and their vendors' stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ChipFigure:
    """One figure with its unit, where it comes from and how far it may be trusted."""

    value: float
    unit: str
    source: str
    confidence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChipRun:
    """A published training measurement. ``mfu``: model FLOPs (6ND) over the dense peak, 0 to 1."""

    workload: str
    accelerators: int
    mfu: float
    source: str
    confidence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChipStack:
    """How the vendor's software finds, confines and drives its devices."""

    slug: str
    title: str
    visible_devices: tuple[str, ...]
    also_reads: tuple[str, ...]
    container_variables: tuple[str, ...]
    device_nodes: tuple[str, ...]
    resources: tuple[str, ...]
    tool: str
    collectives: str
    torch_package: str
    torch_device: str
    source: str
    confidence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """One type of accelerator. ``not_quoted`` says why it is refused in a quote, None where it is not."""

    name: str
    vendor: str
    title: str
    figures: Mapping[str, ChipFigure]
    link: str | None
    topology: str | None
    network: str | None
    process: str | None
    released: str | None
    efficiencies: Mapping[str, float]
    runs: tuple[ChipRun, ...]
    notes: tuple[str, ...]
    source: str
    confidence: str
    aliases: tuple[str, ...]
    quotable: bool
    not_quoted: str | None
    stack: ChipStack

    def value(self, quantity: str) -> float | None:
        """The figure of a quantity in its unit, or None where it is not established."""
        figure = self.figures.get(quantity)
        return None if figure is None else figure.value
