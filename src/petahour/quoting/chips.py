"""What the performance model needs to know of a chip and of the nodes it stands in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from petahour.catalog.facts import AcceleratorType
from petahour.model.errors import ValidationError

GIGA = 1e9
TERA = 1e12


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """Figures of one type as numbers, in base units. Prevents mixing a link's two directions with one.

    ``peak_flops`` is the dense 16-bit peak per second, ``bandwidth`` that of the memory in bytes per second.
    ``link`` and ``network`` are bytes per second of one accelerator in one direction, inside a link domain of
    ``domain`` accelerators and between nodes of ``node``. ``failures_per_day`` are interruptions of a run per
    accelerator and day. ``matrix_part`` and ``bandwidth_part`` are the parts of the peaks that were measured with
    simple programs, None where nobody has.
    """

    name: str
    peak_flops: float
    memory_bytes: float
    bandwidth: float
    link: float
    domain: int
    network: float
    node: int = 8
    power_w: float | None = None
    failures_per_day: float | None = None
    matrix_part: float | None = None
    bandwidth_part: float | None = None

    def __post_init__(self) -> None:
        for field in ("peak_flops", "memory_bytes", "bandwidth", "link", "domain", "network", "node"):
            value = getattr(self, field)
            if not math.isfinite(value) or value <= 0:
                raise ValidationError(
                    field=f"chip.{field}",
                    value=value,
                    rule="a figure above zero",
                    remedy="Establish it, for example in the catalogue's overlay, before quoting this type.",
                )


def chip_from_type(accelerator: AcceleratorType) -> Chip:
    """The figures of a catalogue's type. Raises ValidationError saying which ones nobody has established."""
    missing = accelerator.missing_for_quote
    if missing or not accelerator.quotable:
        lacking = ", ".join(missing) or "what the figures rest on"
        raise ValidationError(
            field="types",
            value=accelerator.name,
            rule=f"a type whose figures are established; not known: {lacking}",
            remedy="State them with their source in the catalogue's overlay, or quote a measured throughput.",
        )
    parts = accelerator.efficiencies
    return Chip(
        name=accelerator.name,
        peak_flops=(accelerator.half_tflops or 0.0) * TERA,
        memory_bytes=float(accelerator.memory_bytes or 0),
        bandwidth=(accelerator.memory_bandwidth_gb_s or 0.0) * GIGA,
        link=(accelerator.link_gb_s_each_way or 0.0) * GIGA,
        domain=accelerator.link_domain or 1,
        network=(accelerator.network_gb_s or 0.0) * GIGA,
        node=accelerator.node_accelerators or 1,
        power_w=accelerator.power_w,
        failures_per_day=accelerator.failures_per_day,
        matrix_part=parts.get("measured_bf16_tflops", parts.get("measured_fp16_tflops")),
        bandwidth_part=parts.get("measured_memory_bandwidth_gb_s"),
    )
