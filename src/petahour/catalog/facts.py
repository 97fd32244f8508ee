"""What the catalogue states about one type of accelerator and about one vendor's software stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from petahour.catalog.quantities import EFFICIENCIES, QUANTITIES, QUOTE_NEEDS

BYTES_PER_GIB = 1024**3


class Confidence(StrEnum):
    """How far a stated fact may be trusted. Prevents quoting a rumour as if it were a datasheet."""

    DATASHEET = "datasheet"
    MEASURED = "measured"
    MEMORY = "memory"
    VENDOR_CLAIM = "vendor-claim"
    NOT_ESTABLISHED = "not-established"


class Topology(StrEnum):
    """How the accelerators of a link domain are joined."""

    SWITCH = "switch"  # each reaches any other at the full link
    MESH = "mesh"  # the link is divided among the peers
    TORUS = "torus"
    RING = "ring"
    PCIE = "pcie"  # no link of its own: the host's bus


class Precision(StrEnum):
    """A number format whose dense peak a chip may state."""

    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    FP4 = "fp4"
    INT8 = "int8"

    @property
    def quantity(self) -> str:
        """The name of the figure that holds the peak of this format."""
        return "int8_tops" if self is Precision.INT8 else f"{self.value}_tflops"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One stated figure, in its quantity's unit, and where it comes from."""

    value: float
    source: str
    confidence: Confidence


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRun:
    """A published training measurement on this type. ``mfu`` is model FLOPs (6ND) over the dense peak, 0 to 1."""

    workload: str
    accelerators: int
    mfu: float
    source: str
    confidence: Confidence


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorType:
    """One rentable type of chip. A figure that nobody established is absent (None), never a guess of zero.

    ``figures`` are by the names of ``quantities.QUANTITIES``, each with its own source and confidence; ``source`` and
    ``confidence`` are those of the type as a whole. Rates are dense peaks, without structured sparsity. ``aliases``
    are the names that vendors' tools report, ``notes`` what a reader must know before he relies on a figure.
    """

    name: str
    vendor: str
    title: str
    figures: Mapping[str, Figure]
    link: str | None
    topology: Topology | None
    network: str | None
    process: str | None
    released: str | None
    runs: tuple[TrainingRun, ...]
    notes: tuple[str, ...]
    source: str
    confidence: Confidence
    aliases: tuple[str, ...]

    def value(self, quantity: str) -> float | None:
        """The figure of a quantity in its unit, or None where it is not established."""
        figure = self.figures.get(quantity)
        return None if figure is None else figure.value

    def peak_tflops(self, precision: Precision) -> float | None:
        """The dense peak of a number format in 10^12 operations per second, or None where the chip has none.

        A chip that states BF16 alone runs FP16 at that rate; one that states FP16 alone has no BF16.
        """
        stated = self.value(precision.quantity)
        return self.value("bf16_tflops") if stated is None and precision is Precision.FP16 else stated

    @property
    def half_tflops(self) -> float | None:
        """Dense 16-bit peak in TFLOPS: BF16 where the chip has it, FP16 otherwise."""
        bf16 = self.value("bf16_tflops")
        return bf16 if bf16 is not None else self.value("fp16_tflops")

    @property
    def memory_bytes(self) -> int | None:
        """The nominal memory in bytes (GB of the sheets is binary on these chips)."""
        gib = self.value("memory_gib")
        return None if gib is None else round(gib * BYTES_PER_GIB)

    @property
    def memory_bandwidth_gb_s(self) -> float | None:
        """10^9 bytes per second."""
        return self.value("memory_bandwidth_gb_s")

    @property
    def link_gb_s_each_way(self) -> float | None:
        """The in-node link of one accelerator, 10^9 bytes per second in one direction."""
        both = self.value("link_bandwidth_gb_s")
        return None if both is None else both / 2

    @property
    def link_domain(self) -> int | None:
        """How many accelerators share the fast link; those of a usual node unless stated."""
        stated = self.value("link_domain")
        return self.node_accelerators if stated is None else round(stated)

    @property
    def node_accelerators(self) -> int | None:
        """How many a usual node has."""
        stated = self.value("node_accelerators")
        return None if stated is None else round(stated)

    @property
    def network_gb_s(self) -> float | None:
        """The network between nodes per accelerator, 10^9 bytes per second in one direction."""
        gbit = self.value("network_gbit_s")
        return None if gbit is None else gbit / 8

    @property
    def power_w(self) -> float | None:
        """Watts of the chip or card at its limit."""
        return self.value("power_w")

    @property
    def failures_per_day(self) -> float | None:
        """Interruptions of a training run per accelerator and day, or None where nobody has counted."""
        per_1000 = self.value("failures_per_1000_days")
        return None if per_1000 is None else per_1000 / 1000

    @property
    def efficiencies(self) -> Mapping[str, float]:
        """Measured parts of the peaks (0 to 1, by the measured figure's name), where both are known."""
        found: dict[str, float] = {}
        for measured, peak in EFFICIENCIES:
            delivered, stated = self.value(measured), self.value(peak)
            if delivered is not None and stated is not None:
                found[measured] = delivered / stated
        delivered, half = self.value("measured_fp16_tflops"), self.peak_tflops(Precision.FP16)
        if delivered is not None and half is not None:
            found["measured_fp16_tflops"] = delivered / half
        return found

    @property
    def missing_for_quote(self) -> tuple[str, ...]:
        """In words: which figures a quote from figures would need and nobody has established."""
        lacking = [] if self.half_tflops is not None else ["a dense 16-bit peak"]
        for name in QUOTE_NEEDS:
            if name not in self.figures:
                quantity = QUANTITIES[name]
                lacking.append(_IN_WORDS.get(name, quantity.title))
        return tuple(lacking)

    @property
    def quotable(self) -> bool:
        """Whether enough is known to promise a tenant a duration without measuring first."""
        return not self.missing_for_quote and self.confidence is not Confidence.NOT_ESTABLISHED


_IN_WORDS = {
    "memory_gib": "the memory's size",
    "memory_bandwidth_gb_s": "the memory's bandwidth",
    "link_bandwidth_gb_s": "the in-node link's bandwidth",
    "node_accelerators": "the accelerators in a node",
    "network_gbit_s": "the network per accelerator",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorStack:
    """How a vendor's software finds and confines its devices. Prevents keying on a name two vendors share.

    ``visible_devices`` are the variables to set for a process, all of them; ``also_reads`` are further variables
    the same stack obeys, which a launcher must not pass on by accident; ``launch`` are constants to set beside
    them. ``resources`` are the names under which Kubernetes device plugins offer the devices. ``confidence`` is that
    of the variables and device nodes. The collective library's name is unique only together with the vendor's.
    """

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
    confidence: Confidence
    launch: Mapping[str, str]

    @property
    def library(self) -> tuple[str, str]:
        """The key of the collective library: (vendor, name)."""
        return (self.slug, self.collectives)
