"""Facts about accelerators and their vendors' stacks: TOML data and a typed, validated loader."""

from __future__ import annotations

from petahour.catalog.catalog import Catalog
from petahour.catalog.facts import (
    AcceleratorType,
    Confidence,
    Figure,
    Precision,
    Topology,
    TrainingRun,
    VendorStack,
)
from petahour.catalog.loader import load_catalog

__all__ = [
    "AcceleratorType",
    "Catalog",
    "Confidence",
    "Figure",
    "Precision",
    "Topology",
    "TrainingRun",
    "VendorStack",
    "load_catalog",
]
