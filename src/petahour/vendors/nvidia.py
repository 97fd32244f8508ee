"""NVIDIA: asks the driver through NVML. Without a driver there are no devices, and that is no error."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from petahour.vendors.device import Device, Probe, ProbeNote
from petahour.vendors.readings import MOST_DEVICES

TOOL = "nvml"
SLUG = "nvidia"

T = TypeVar("T")


class NvmlMemory(Protocol):
    """NVML's memory record, in bytes."""

    total: int


class NvmlUtilisation(Protocol):
    """NVML's utilisation record, in percent."""

    gpu: int


class Nvml(Protocol):
    """The part of NVML's Python binding that is used. Handles are opaque; names are NVML's own."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802
    def nvmlShutdown(self) -> None: ...  # noqa: N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: N802
    def nvmlDeviceGetName(self, handle: object) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetMemoryInfo(self, handle: object) -> NvmlMemory: ...  # noqa: N802
    def nvmlDeviceGetTemperature(self, handle: object, sensor: int) -> int: ...  # noqa: N802
    def nvmlDeviceGetPowerUsage(self, handle: object) -> int: ...  # noqa: N802
    def nvmlDeviceGetUtilizationRates(self, handle: object) -> NvmlUtilisation: ...  # noqa: N802
    def nvmlDeviceGetRemappedRows(self, handle: object) -> tuple[int, int, int, int]: ...  # noqa: N802
    def nvmlDeviceGetMigMode(self, handle: object) -> tuple[int, int] | list[int]: ...  # noqa: N802


@dataclass(frozen=True, kw_only=True, slots=True)
class NvidiaVendor:
    """Fills the Vendor protocol by NVML, which answers from the driver and takes no timeout."""

    slug: str = SLUG
    tool: str = TOOL

    def probe(self, timeout_ms: int) -> Probe:
        try:
            binding = importlib.import_module("pynvml")
        except ImportError:
            return Probe()
        return read_devices(cast("Nvml", binding))


def read_devices(nvml: Nvml) -> Probe:
    """Every device that NVML lists, in the order of CUDA_DEVICE_ORDER=PCI_BUS_ID.

    A device that does not answer or that is split by MIG is left out with a note: it cannot be rented whole.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return Probe()
    devices: list[Device] = []
    notes: list[ProbeNote] = []
    try:
        for index in range(min(nvml.nvmlDeviceGetCount(), MOST_DEVICES)):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                if _mig_is_on(nvml, handle):
                    notes.append(_note(f"device {index} is split by MIG; only whole devices are rented"))
                else:
                    devices.append(_device(nvml, index, handle))
            except nvml.NVMLError as error:
                notes.append(_note(f"device {index}: {error}"))
    except nvml.NVMLError as error:
        notes.append(_note(f"does not list the devices: {error}"))
    finally:
        _reading(nvml, nvml.nvmlShutdown)
    return Probe(devices=tuple(devices), notes=tuple(notes))


def _device(nvml: Nvml, index: int, handle: object) -> Device:
    """A device must tell its name; every other reading is optional, as old boards lack some."""
    memory = _reading(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    power_mw = _reading(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    temperature = _reading(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, 0))
    utilisation = _reading(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    uuid = _reading(nvml, lambda: nvml.nvmlDeviceGetUUID(handle))
    remapped = _reading(nvml, lambda: nvml.nvmlDeviceGetRemappedRows(handle))
    return Device(
        vendor=SLUG,
        index=index,
        product_name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=None if memory is None else int(memory.total),
        uuid=None if uuid is None else _text(uuid),
        # The last flag says that a faulty row of memory could not be remapped: its faults would reach the job.
        healthy=remapped is None or not remapped[3],
        temperature_c=None if temperature is None else float(temperature),
        power_w=None if power_mw is None else power_mw / 1000,
        utilisation_percent=None if utilisation is None else float(utilisation.gpu),
    )


def _mig_is_on(nvml: Nvml, handle: object) -> bool:
    mode = _reading(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle))
    return mode is not None and mode[0] == 1


def _reading(nvml: Nvml, ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except nvml.NVMLError:
        return None


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _note(what: str) -> ProbeNote:
    return ProbeNote(vendor=SLUG, tool=TOOL, what=what)
