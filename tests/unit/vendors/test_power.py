"""Power: counters and readings of vendors as watts and joules, and the program that writes them to a job's output."""

# ruff: noqa: N802 - the names are those of the binding.

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.vendors import cambricon
from petahour.vendors.metering import Reading, told
from petahour.vendors.power import HOST, NoMeter, NvmlMeter, RaplMeter, Sample, ToolMeter, meter_of
from petahour.vendors.tool import ToolVendor

CAMBRICON = ToolVendor(slug=cambricon.SLUG, tool=cambricon.TOOL, commands=cambricon.COMMANDS, parse=cambricon.parse)


class NotSupportedError(Exception):
    """What the played binding raises."""


class Boards:
    """NVML's answers, in its units: millijoules and milliwatts; None is an answer that the board does not give."""

    NVMLError: ClassVar[type[Exception]] = NotSupportedError

    def __init__(self, energy: list[int | None], power: list[int | None]) -> None:
        self.energy, self.power = energy, power

    def nvmlInit(self) -> None:
        return None

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int:
        return self._told(self.energy, handle)

    def nvmlDeviceGetPowerUsage(self, handle: object) -> int:
        return self._told(self.power, handle)

    def _told(self, answers: list[int | None], handle: object) -> int:
        assert isinstance(handle, int)
        answer = answers[handle]
        if answer is None:
            raise NotSupportedError
        return answer


def test_a_counter_of_joules_counts_before_readings_of_watts() -> None:
    boards = Boards([1_000_000, 7_000_000, 3_000_000], [400_000, 1_000, 300_000])
    meter, reading = NvmlMeter(boards, [0, 2]), Reading()
    for at_s in (10.0, 20.0):
        sample = meter.read()
        assert sample is not None
        reading.take(sample, at_s)
        boards.energy = [1_000_000 + 3_900_000, 7_000_000, 3_000_000 + 3_700_000]
    assert reading.joules == pytest.approx(7_600.0)
    assert told(meter, reading) == "petahour: power 380.0 W over 10.0 s by nvml"


def test_boards_without_a_counter_are_metered_by_their_watts() -> None:
    meter, reading = NvmlMeter(Boards([None], [300_000]), [0]), Reading()
    for at_s in (0.0, 1.0, 4.0):
        sample = meter.read()
        assert sample is not None
        reading.take(sample, at_s)
    assert told(meter, reading) == "petahour: power 300.0 W over 4.0 s by nvml"
    assert NvmlMeter(Boards([None], [None]), [0]).read() is None


def test_a_tool_is_asked_for_the_devices_of_the_job(
    make_tool: Callable[[str, str], Path], prints: Callable[[str], str]
) -> None:
    make_tool(cambricon.TOOL, prints("cambricon-mlu370.txt"))
    devices = {one.index: one.power_w for one in CAMBRICON.probe(5_000).devices}
    some = sorted(devices)[:2]
    meter = meter_of(cambricon.SLUG, some, vendors=[CAMBRICON])
    assert isinstance(meter, ToolMeter)
    sample = meter.read()
    assert sample is not None
    assert sample.watts == pytest.approx(sum(devices[index] or 0.0 for index in some))
    assert sample.watts > 0
    absent = meter_of(cambricon.SLUG, [99], vendors=[CAMBRICON])
    assert isinstance(absent, NoMeter)
    assert "99" in absent.reason


def test_what_cannot_be_metered_says_why(make_tool: Callable[[str, str], Path], tmp_path: Path) -> None:
    no_tool = meter_of(cambricon.SLUG, [0], vendors=[CAMBRICON])
    no_vendor = meter_of("abacus", [0])
    no_counter = meter_of(HOST, [0], powercap=tmp_path)
    for found, word in ((no_tool, cambricon.TOOL), (no_vendor, "abacus"), (no_counter, "RAPL")):
        assert isinstance(found, NoMeter)
        assert word in found.reason


def package(home: Path, number: int, joules: float, most: float = 1000.0) -> Path:
    path = home / f"intel-rapl:{number}"
    path.mkdir(exist_ok=True)
    (path / "energy_uj").write_text(f"{round(joules * 1e6)}\n")
    (path / "max_energy_range_uj").write_text(f"{round(most * 1e6)}\n")
    return path


def test_packages_of_the_host_are_counted_over_their_end(tmp_path: Path) -> None:
    package(tmp_path, 0, 990.0)
    package(tmp_path, 1, 5.0)
    package(tmp_path, 0, 990.0)
    (tmp_path / "intel-rapl:0:0").mkdir()  # A part of package 0, which is counted already.
    meter = meter_of(HOST, [0, 1], powercap=tmp_path)
    assert isinstance(meter, RaplMeter)
    first = meter.read()
    package(tmp_path, 0, 40.0)  # 50 J further, over the end at 1000 J
    package(tmp_path, 1, 75.0)
    second = meter.read()
    assert first is not None
    assert second is not None
    assert (second.joules or 0.0) - (first.joules or 0.0) == pytest.approx(120.0)
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert meter.read() is None
    assert isinstance(meter_of(HOST, [0], powercap=tmp_path), NoMeter)


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.floats(1.0, 1000.0)), min_size=2, max_size=20))
def test_watts_over_time_are_between_the_least_and_the_most(steps: list[tuple[float, float]]) -> None:
    reading, at_s = Reading(), 0.0
    for span_s, watts in steps:
        at_s += span_s
        reading.take(Sample(watts=watts), at_s)
    assert reading.joules is not None
    mean = reading.joules / reading.span_s
    assert min(watts for _, watts in steps) - 1e-6 <= mean <= max(watts for _, watts in steps) + 1e-6


@pytest.mark.parametrize("arguments", [["nvidia", "none"], ["host"], []])
def test_wrong_arguments_are_told_in_the_line(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "petahour.vendors.metering", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == f"petahour: power unknown: it was asked to meter {arguments}\n"
