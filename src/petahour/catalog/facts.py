"""What the catalogue states about one type of accelerator and about one vendor's software stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Confidence(StrEnum):
    """How far a stated fact may be trusted. Prevents quoting a rumour as if it were a datasheet."""

    DATASHEET = "datasheet"
    MEASURED = "measured"
    MEMORY = "memory"
    VENDOR_CLAIM = "vendor-claim"
    NOT_ESTABLISHED = "not-established"


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorType:
    """One rentable type of chip. A figure that nobody established is None, never a guess of zero.

    Rates are dense peaks (no structured sparsity): ``bf16_tflops`` is None on chips without BF16, whose FP16
    rate is then in ``fp16_tflops``. ``memory_bytes`` is the nominal size in binary units; bandwidths are in
    10^9 bytes per second, the link's for both directions together. ``source`` says where the figures come from
    and ``aliases`` are the names that vendors' tools report.
    """

    name: str
    vendor: str
    title: str
    bf16_tflops: float | None
    fp16_tflops: float | None
    int8_tops: float | None
    fp8_tflops: float | None
    memory_bytes: int | None
    memory_bandwidth_gb_s: float | None
    link_bandwidth_gb_s: float | None
    power_w: float | None
    source: str
    confidence: Confidence
    aliases: tuple[str, ...]

    @property
    def half_tflops(self) -> float | None:
        """Dense 16-bit peak in TFLOPS: BF16 where the chip has it, FP16 otherwise."""
        return self.bf16_tflops if self.bf16_tflops is not None else self.fp16_tflops

    @property
    def quotable(self) -> bool:
        """Whether compute and memory are known well enough to promise a tenant a duration."""
        known = self.half_tflops is not None and self.memory_bytes is not None
        return known and self.confidence is not Confidence.NOT_ESTABLISHED


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorStack:
    """How a vendor's software finds and confines its devices. Prevents keying on a name two vendors share.

    ``visible_devices`` are the variables to set for a process, all of them; ``also_reads`` are further variables
    the same stack obeys, which a launcher must not pass on by accident; ``launch`` are constants to set beside
    them. ``confidence`` is that of the variables and device nodes. The collective library's name is unique only
    together with the vendor's.
    """

    slug: str
    title: str
    visible_devices: tuple[str, ...]
    also_reads: tuple[str, ...]
    container_variables: tuple[str, ...]
    device_nodes: tuple[str, ...]
    tool: str
    collectives: str
    torch_device: str
    source: str
    confidence: Confidence
    launch: Mapping[str, str]

    @property
    def library(self) -> tuple[str, str]:
        """The key of the collective library: (vendor, name)."""
        return (self.slug, self.collectives)
