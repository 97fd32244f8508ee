"""probe_all with tools on PATH: shell scripts that print samples, hang, fail, babble or print garbage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from petahour.catalog import load_catalog
from petahour.vendors import VENDORS, Device, Inventory, Probe, Vendor, host_cpus, probe_all

MakeTool = Callable[[str, str], Path]
Prints = Callable[[str], str]

# The machine of the test may have a driver of NVIDIA's; these vendors are found on PATH alone.
TOOLS = tuple(vendor for vendor in VENDORS if vendor.slug != "nvidia")


def probed(timeout_ms: int = 5_000) -> Inventory:
    return probe_all(load_catalog(), TOOLS, timeout_ms)


def names(inventory: Inventory) -> list[tuple[str, int]]:
    return [(found.type.name, found.device.index) for found in inventory.found]


def test_every_vendor_of_the_fleet_is_probed() -> None:
    assert [vendor.slug for vendor in VENDORS] == [
        *("nvidia", "huawei", "moore-threads", "biren", "cambricon", "amd")
    ]
    assert all(load_catalog().vendor(vendor.slug) for vendor in VENDORS)


@pytest.mark.usefixtures("make_tool")
def test_without_tools_there_is_nothing_and_that_is_no_news() -> None:
    assert probed() == Inventory(found=(), notes=())


def test_a_mixed_host(make_tool: MakeTool, prints: Prints) -> None:
    make_tool("npu-smi", f'[ "$*" = info ] || exit 9\n{prints("ascend-910c.txt")}')
    make_tool("mthreads-gmi", prints("moore-threads-s4000.txt"))
    make_tool("brsmi", prints("biren-104.txt"))
    make_tool("cnmon", prints("cambricon-mlu370-old.txt"))
    make_tool("amd-smi", _amd(prints, "amd-mi300x"))
    inventory = probed()
    assert inventory.notes == ()
    assert names(inventory) == [
        ("ascend-910c-die", 0),
        ("ascend-910c-die", 1),
        ("mtt-s4000", 0),
        ("mtt-s4000", 1),
        ("br104", 0),
        ("br104", 1),
        ("mlu370-x8-chip", 0),
        ("mi300x", 0),
        ("mi300x", 1),
    ]
    assert inventory.found[-2].device.power_w == 512


def test_a_faulty_device_is_listed_with_a_note(make_tool: MakeTool, prints: Prints) -> None:
    make_tool("npu-smi", prints("ascend-910b3.txt"))
    inventory = probed()
    assert [found.device.healthy for found in inventory.found] == [True, True, False]
    (note,) = inventory.notes
    assert str(note) == "huawei: npu-smi: device 2 (ascend-910b3) reports a fault"


def test_a_device_of_no_known_type_is_a_note(make_tool: MakeTool) -> None:
    make_tool("brsmi", "echo '0, Biren999, 0, 65536'")
    inventory = probed()
    assert inventory.found == ()
    assert "device 0, 'Biren999' with 64.0 GiB, matches no type" in inventory.notes[0].what


def test_a_device_listed_twice_is_taken_once(make_tool: MakeTool) -> None:
    make_tool("brsmi", "echo '0, BR104, 0, 32768'; echo '0, BR104, 0, 32768'")
    inventory = probed()
    assert names(inventory) == [("br104", 0)]
    assert "listed twice" in inventory.notes[0].what


def test_a_tool_that_hangs_is_a_note_and_hides_no_other(make_tool: MakeTool, prints: Prints, tmp_path: Path) -> None:
    make_tool("npu-smi", f"/bin/sleep 600 &\necho $! > {tmp_path}/child\nwait")
    make_tool("brsmi", prints("biren-104.txt"))
    begun = time.monotonic()
    inventory = probed(timeout_ms=400)
    assert time.monotonic() - begun < 5
    assert names(inventory) == [("br104", 0), ("br104", 1)]
    (note,) = inventory.notes
    assert str(note) == "huawei: npu-smi: npu-smi info did not answer within 0.4 s"
    assert _has_ended(int((tmp_path / "child").read_text()))


def test_a_tool_that_closes_its_output_and_hangs(make_tool: MakeTool) -> None:
    make_tool("cnmon", "exec /bin/sleep 600 >&- 2>&-")
    (note,) = probed(timeout_ms=200).notes
    assert "did not answer" in note.what


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'dcmi module initialize failed' >&2; exit 255", "ended with status 255: dcmi module"),
        ("exit 3", "npu-smi info ended with status 3"),
        ("kill -SEGV $$", "ended with signal 11"),
        ("echo hello", "printed what cannot be read: npu-smi: output with 'NPU'"),
        ("printf '\\377\\376\\000'", "printed what cannot be read"),
        ("true", "printed what cannot be read"),
        ("/usr/bin/yes", "printed more than"),
    ],
)
def test_a_tool_that_fails_is_a_note(make_tool: MakeTool, body: str, said: str) -> None:
    make_tool("npu-smi", body)
    inventory = probed()
    assert inventory.found == ()
    (note,) = inventory.notes
    assert (note.vendor, note.tool) == ("huawei", "npu-smi")
    assert said in note.what


def test_a_tool_that_cannot_be_started_is_a_note(make_tool: MakeTool) -> None:
    make_tool("cnmon", "").write_text("#!/no/such/shell\n")
    (note,) = probed().notes
    assert "could not be started: No such file" in note.what


@pytest.mark.parametrize("second", ["echo denied >&2; exit 1", "echo nonsense", "echo '{\"x\": 1}'"])
def test_readings_that_fail_do_not_hide_the_devices(make_tool: MakeTool, prints: Prints, second: str) -> None:
    body = prints("amd-mi300x-static.json")
    make_tool("amd-smi", f'if [ "$1" = static ]; then {body}; else {second}; fi')
    inventory = probed()
    assert names(inventory) == [("mi300x", 0), ("mi300x", 1)]
    (note,) = inventory.notes
    assert "amd-smi metric" in note.what


def test_vendors_are_asked_at_once(make_tool: MakeTool) -> None:
    for tool in ("npu-smi", "mthreads-gmi", "brsmi", "cnmon", "amd-smi"):
        make_tool(tool, "exec /bin/sleep 600")
    begun = time.monotonic()
    assert len(probed(timeout_ms=500).notes) == 5
    assert time.monotonic() - begun < 2


def test_any_vendor_that_fills_the_protocol_can_be_asked() -> None:
    @dataclass(frozen=True)
    class Fixed:
        slug: str = "nvidia"
        tool: str = "fixed"

        def probe(self, timeout_ms: int) -> Probe:
            return Probe(devices=(Device(vendor="nvidia", index=timeout_ms, product_name="NVIDIA L40S"),))

    vendor: Vendor = Fixed()
    assert names(probe_all(load_catalog(), (vendor,), 7)) == [("l40s", 7)]
    assert probe_all(load_catalog(), ()) == Inventory(found=(), notes=())


def test_the_host_s_cpus_are_those_it_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    assert host_cpus() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert host_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def _amd(prints: Prints, name: str) -> str:
    static, metric = prints(f"{name}-static.json"), prints(f"{name}-metric.json")
    return f'case "$1 $*" in *--json) ;; *) exit 9;; esac\nif [ "$1" = static ]; then {static}; else {metric}; fi'


def _has_ended(pid: int) -> bool:
    """Whether the process is gone or only waits to be reaped by its new parent."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
    return False
