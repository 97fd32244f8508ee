"""A device as its vendor's tool reports it, and the protocol that every vendor's probe fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

DEFAULT_PROBE_TIMEOUT_MS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device of this host. What the tool did not report is None, never zero.

    ``index`` is the number that the vendor's visible-devices variable understands.
    """

    vendor: str
    index: int
    product_name: str
    memory_bytes: int | None = None
    uuid: str | None = None
    healthy: bool = True
    temperature_c: float | None = None
    power_w: float | None = None
    utilisation_percent: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeNote:
    """Something an operator should know: a tool that failed, a device that no type matches."""

    vendor: str
    tool: str
    what: str

    def __str__(self) -> str:
        return f"{self.vendor}: {self.tool}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What one vendor's probe found. No tool on this host: no devices and no notes."""

    devices: tuple[Device, ...] = ()
    notes: tuple[ProbeNote, ...] = ()


class Vendor(Protocol):
    """Finds one vendor's devices. ``slug`` is the vendor's key in the catalogue, ``tool`` what is asked."""

    @property
    def slug(self) -> str: ...

    @property
    def tool(self) -> str: ...

    def probe(self, timeout_ms: int) -> Probe:
        """Ask the tool, within ``timeout_ms`` per command. Reports trouble in notes and raises nothing."""
        ...
