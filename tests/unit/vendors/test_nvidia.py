"""NVML's answers as devices. The binding is played by recorded answers: the real one needs a driver."""

# ruff: noqa: N802 - the names are those of the binding.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pynvml
import pytest

from petahour.catalog import load_catalog
from petahour.vendors import Device, Probe, probe_all
from petahour.vendors.nvidia import NvidiaVendor, Nvml, read_devices

SAMPLE = Path(__file__).parent / "samples" / "nvidia-nvml.json"


class RecordedError(Exception):
    """What the recorded binding raises."""


class Recorded:
    """Answers like NVML's binding; a missing answer is an error, as from a board that does not support it."""

    NVMLError: ClassVar[type[Exception]] = RecordedError

    def __init__(self, boards: Sequence[Mapping[str, object]], *, driver: bool = True, lists: bool = True) -> None:
        self.boards, self.driver, self.lists = boards, driver, lists
        self.open = 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise RecordedError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        if not self.lists:
            raise RecordedError("Unknown Error")
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:
        if self.boards[index].get("lost"):
            raise RecordedError("GPU is lost")
        return self.boards[index]

    def _answer(self, handle: object, key: str) -> object:
        assert isinstance(handle, dict)
        if key not in handle:
            raise RecordedError("Not Supported")
        return handle[key]

    def nvmlDeviceGetName(self, handle: object) -> object:
        return self._answer(handle, "name")

    def nvmlDeviceGetUUID(self, handle: object) -> object:
        return str(self._answer(handle, "uuid")).encode()

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> object:
        return SimpleNamespace(total=self._answer(handle, "memory_bytes"))

    def nvmlDeviceGetTemperature(self, handle: object, sensor: int) -> object:
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        return self._answer(handle, "temperature_c")

    def nvmlDeviceGetPowerUsage(self, handle: object) -> object:
        return self._answer(handle, "power_mw")

    def nvmlDeviceGetUtilizationRates(self, handle: object) -> object:
        return SimpleNamespace(gpu=self._answer(handle, "utilisation_percent"))

    def nvmlDeviceGetRemappedRows(self, handle: object) -> object:
        return self._answer(handle, "remapped_rows")

    def nvmlDeviceGetMigMode(self, handle: object) -> object:
        return self._answer(handle, "mig_mode")


@pytest.fixture
def boards() -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads(SAMPLE.read_text())
    return loaded


def test_devices_faults_and_what_cannot_be_rented(boards: list[dict[str, object]]) -> None:
    binding = Recorded(boards)
    probe = read_devices(binding)  # type: ignore[arg-type]
    assert probe.devices[0] == Device(
        vendor="nvidia",
        index=0,
        product_name="NVIDIA A100-SXM4-80GB",
        memory_bytes=80 * 1024**3,
        uuid="GPU-00000000-0000-0000-0000-000000000000",
        temperature_c=47,
        power_w=181.25,
        utilisation_percent=35,
    )
    assert [(device.index, device.healthy) for device in probe.devices] == [(0, True), (1, False), (4, True)]
    assert probe.devices[2] == Device(vendor="nvidia", index=4, product_name="Tesla T4", memory_bytes=15 * 1024**3)
    assert [note.what for note in probe.notes] == [
        "device 2 is split by MIG; only whole devices are rented",
        "device 3: GPU is lost",
    ]
    assert binding.open == 0


def test_without_a_driver_there_are_no_devices_and_no_error(boards: list[dict[str, object]]) -> None:
    assert read_devices(Recorded(boards, driver=False)) == Probe()  # type: ignore[arg-type]


def test_a_driver_that_does_not_list_its_devices_is_a_note(boards: list[dict[str, object]]) -> None:
    binding = Recorded(boards, lists=False)
    probe = read_devices(binding)  # type: ignore[arg-type]
    assert probe.devices == ()
    assert probe.notes[0].what == "does not list the devices: Unknown Error"
    assert binding.open == 0


def test_the_real_binding_has_every_call_and_answers_on_any_machine() -> None:
    for name in (name for name in vars(Nvml) if name.startswith("nvml")):
        assert callable(getattr(pynvml, name))
    probe = NvidiaVendor().probe(1_000)
    assert all(device.product_name for device in probe.devices)
    inventory = probe_all(load_catalog(), (NvidiaVendor(),))
    assert len(inventory.found) + len(inventory.notes) >= len(probe.devices)
