"""Power meters: what devices draw, from an energy counter where there is one, else from readings of their watts."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from petahour.vendors.device import Vendor
from petahour.vendors.host import host_cpus
from petahour.vendors.inventory import VENDORS
from petahour.vendors.nvidia import SLUG as NVIDIA

HOST = "host"
POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6
MILLI = 1e-3
# The tool of another vendor takes a moment for each answer.
COUNTED_EVERY_S = 1.0
ASKED_EVERY_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What all metered devices draw together: ``joules`` since some instant in the past, and ``watts`` now."""

    watts: float | None = None
    joules: float | None = None


class Meter(Protocol):
    """Reads devices. ``name`` says by what, ``devices`` of how many accelerators a sample is the sum."""

    name: str
    devices: float
    every_s: float

    def read(self) -> Sample | None:
        """A sample; None when the devices tell nothing now. Raises nothing."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class NoMeter:
    """Why there is no meter."""

    reason: str


class NvmlPower(Protocol):
    """The part of NVML's Python binding that meters power: millijoules since the driver was loaded, milliwatts."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: N802
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int: ...  # noqa: N802
    def nvmlDeviceGetPowerUsage(self, handle: object) -> int: ...  # noqa: N802


class NvmlMeter:
    """NVIDIA's driver: its energy counter since Volta, its power readings before."""

    name = "nvml"
    every_s = COUNTED_EVERY_S

    def __init__(self, nvml: NvmlPower, indexes: Sequence[int]) -> None:
        self._nvml = nvml
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in indexes]
        self.devices = float(len(indexes))

    def read(self) -> Sample | None:
        joules = self._sum(self._nvml.nvmlDeviceGetTotalEnergyConsumption)
        watts = self._sum(self._nvml.nvmlDeviceGetPowerUsage)
        return None if joules is None and watts is None else Sample(watts=watts, joules=joules)

    def _sum(self, ask: Callable[[object], int]) -> float | None:
        try:
            return sum(ask(handle) for handle in self._handles) * MILLI
        except self._nvml.NVMLError:
            return None


class ToolMeter:
    """A vendor's command-line tool, asked again and again."""

    every_s = ASKED_EVERY_S

    def __init__(self, vendor: Vendor, indexes: Sequence[int]) -> None:
        self.name = vendor.tool
        self.devices = float(len(indexes))
        self._vendor = vendor
        self._indexes = frozenset(indexes)

    def read(self) -> Sample | None:
        found = [one for one in self._vendor.probe(int(ASKED_EVERY_S * 1000)).devices if one.index in self._indexes]
        watts = [one.power_w for one in found if one.power_w is not None]
        return Sample(watts=sum(watts)) if watts and len(watts) == len(self._indexes) else None


class RaplMeter:
    """The energy counters of the host's processor packages (RAPL, which AMD's have too), in microjoules.

    They count a package as a whole, whatever else runs on it, and go back to zero beyond a bound that is told.
    A ``cpu`` accelerator's part is that of one of the host's CPUs.
    """

    name = "rapl"
    every_s = COUNTED_EVERY_S

    def __init__(self, packages: Sequence[Path], cpus: int) -> None:
        self._packages = tuple(packages)
        self.devices = float(cpus)
        self._last: dict[Path, int] = {}
        self._joules = 0.0

    def read(self) -> Sample | None:
        for package in self._packages:
            try:
                count, most = (int((package / name).read_text()) for name in ("energy_uj", "max_energy_range_uj"))
            except (OSError, ValueError):
                return None
            before = self._last.get(package, count)
            self._joules += (count - before if count >= before else count - before + most) * MICRO
            self._last[package] = count
        return Sample(joules=self._joules)


def meter_of(
    slug: str, indexes: Sequence[int], *, vendors: Sequence[Vendor] = VENDORS, powercap: Path = POWERCAP
) -> Meter | NoMeter:
    """The meter of these devices of a vendor; ``host`` is this host's own processors.

    NoMeter says why there is none: no driver, no tool, or one that tells no power.
    """
    if slug == HOST:
        return _rapl(powercap)
    vendor = next((one for one in vendors if one.slug == slug), None)
    if vendor is None:
        return NoMeter(reason=f"no tool of {slug} is known that reads power")
    if slug == NVIDIA:
        return _nvml(indexes)
    meter = ToolMeter(vendor, indexes)
    if meter.read() is None:
        return NoMeter(reason=f"{vendor.tool} tells no power of devices {', '.join(map(str, indexes))} on this node")
    return meter


def _nvml(indexes: Sequence[int]) -> Meter | NoMeter:
    try:
        nvml = cast("NvmlPower", importlib.import_module("pynvml"))
    except ImportError:
        return NoMeter(reason="pynvml is not installed on this node")
    try:
        nvml.nvmlInit()
        meter = NvmlMeter(nvml, indexes)
    except nvml.NVMLError as error:
        return NoMeter(reason=f"nvml: {error}")
    return meter if meter.read() is not None else NoMeter(reason="nvml tells no power of these devices")


def _rapl(powercap: Path) -> Meter | NoMeter:
    packages = sorted(path for path in powercap.glob("*-rapl:*") if path.name.count(":") == 1)
    meter = RaplMeter(packages, host_cpus())
    if not packages:
        return NoMeter(reason=f"this host has no energy counter of its processors (RAPL, {powercap})")
    if meter.read() is None:
        return NoMeter(reason=f"the energy counters in {powercap} cannot be read by this user")
    return meter
