"""The figures a catalogue may state: name, unit, heading, and which of them a quote cannot do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MOST_FIGURE = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One kind of figure. ``title`` stands in front of a value and ``unit`` behind it.

    ``heading`` groups quantities where a type is shown in full; ``most`` bounds what can be meant, so that a slip
    of units is refused instead of believed. ``whole``: a count.
    """

    name: str
    title: str
    unit: str
    heading: str
    most: float = MOST_FIGURE
    whole: bool = False
    note: str = ""


_COMPUTE = "Dense peak"
_MEMORY = "Memory"
_LINK = "Inside a node"
_NODE = "Usual node"
_CHIP = "Chip"
_MEASURED = "Measured"

_ALL = (
    Quantity(name="fp32_tflops", title="FP32", unit="TFLOPS", heading=_COMPUTE, most=1e6, note="vector units"),
    Quantity(name="tf32_tflops", title="TF32", unit="TFLOPS", heading=_COMPUTE, most=1e6),
    Quantity(name="fp16_tflops", title="FP16", unit="TFLOPS", heading=_COMPUTE, most=1e6),
    Quantity(name="bf16_tflops", title="BF16", unit="TFLOPS", heading=_COMPUTE, most=1e6),
    Quantity(name="fp8_tflops", title="FP8", unit="TFLOPS", heading=_COMPUTE, most=1e6),
    Quantity(name="fp4_tflops", title="FP4", unit="TFLOPS", heading=_COMPUTE, most=1e6),
    Quantity(name="int8_tops", title="INT8", unit="TOPS", heading=_COMPUTE, most=1e6),
    Quantity(name="memory_gib", title="size", unit="GiB", heading=_MEMORY, most=1e6),
    Quantity(name="memory_bandwidth_gb_s", title="bandwidth", unit="GB/s", heading=_MEMORY, most=1e6),
    Quantity(
        name="link_bandwidth_gb_s",
        title="link",
        unit="GB/s",
        heading=_LINK,
        most=1e5,
        note="both ways together",
    ),
    Quantity(
        name="link_domain",
        title="link domain",
        unit="accelerators",
        heading=_LINK,
        most=100_000,
        whole=True,
        note="at that speed",
    ),
    Quantity(
        name="node_accelerators",
        title="accelerators",
        unit="",
        heading=_NODE,
        most=1_024,
        whole=True,
        note="in a node",
    ),
    Quantity(
        name="network_gbit_s",
        title="network",
        unit="Gbit/s",
        heading=_NODE,
        most=1e5,
        note="per accelerator, each way",
    ),
    Quantity(name="power_w", title="power", unit="W", heading=_CHIP, most=1e5, note="at most"),
    Quantity(name="die_mm2", title="die area", unit="mm2", heading=_CHIP, most=1e5, note="compute dies together"),
    Quantity(
        name="purchase_usd",
        title="purchase price",
        unit="USD",
        heading=_CHIP,
        most=1e7,
        note="with its share of the node",
    ),
    Quantity(name="measured_fp16_tflops", title="FP16 matmul", unit="TFLOPS", heading=_MEASURED, most=1e6),
    Quantity(name="measured_bf16_tflops", title="BF16 matmul", unit="TFLOPS", heading=_MEASURED, most=1e6),
    Quantity(name="measured_int8_tops", title="INT8 matmul", unit="TOPS", heading=_MEASURED, most=1e6),
    Quantity(
        name="measured_memory_bandwidth_gb_s", title="memory bandwidth", unit="GB/s", heading=_MEASURED, most=1e6
    ),
    Quantity(
        name="measured_allreduce_gb_s",
        title="all-reduce",
        unit="GB/s",
        heading=_MEASURED,
        most=1e5,
        note="both ways together",
    ),
    Quantity(name="measured_power_w", title="power under load", unit="W", heading=_MEASURED, most=1e5),
    Quantity(
        name="failures_per_1000_days",
        title="failures",
        unit="per 1,000 chip-days",
        heading=_MEASURED,
        most=1e5,
        note="of a whole run",
    ),
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({quantity.name: quantity for quantity in _ALL})
HEADINGS = (_COMPUTE, _MEMORY, _LINK, _NODE, _CHIP, _MEASURED)

# A measured figure beside the peak that it is a part of.
EFFICIENCIES = (
    ("measured_bf16_tflops", "bf16_tflops"),
    ("measured_int8_tops", "int8_tops"),
    ("measured_memory_bandwidth_gb_s", "memory_bandwidth_gb_s"),
    ("measured_allreduce_gb_s", "link_bandwidth_gb_s"),
)

# What a quote from figures needs beside a 16-bit peak. Power is not among them: without it a quote has no energy.
QUOTE_NEEDS = (
    "memory_gib",
    "memory_bandwidth_gb_s",
    "link_bandwidth_gb_s",
    "node_accelerators",
    "network_gbit_s",
)
