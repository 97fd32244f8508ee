"""The host's inventory: every vendor's devices, each matched to a type of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from petahour.catalog import AcceleratorType, Catalog
from petahour.vendors import amd, ascend, biren, cambricon, moore_threads
from petahour.vendors.device import DEFAULT_PROBE_TIMEOUT_MS, Device, Probe, ProbeNote, Vendor
from petahour.vendors.nvidia import NvidiaVendor
from petahour.vendors.tool import ToolVendor

VENDORS: tuple[Vendor, ...] = (
    NvidiaVendor(),
    *(
        ToolVendor(slug=source.SLUG, tool=source.TOOL, commands=source.COMMANDS, parse=source.parse)
        for source in (ascend, moore_threads, biren, cambricon, amd)
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A device whose type is known, so that it can be rented."""

    device: Device
    type: AcceleratorType


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """The rentable devices, ordered by vendor as probed and then by index, and what an operator should know."""

    found: tuple[Found, ...]
    notes: tuple[ProbeNote, ...]


def probe_all(
    catalog: Catalog, vendors: Sequence[Vendor] = VENDORS, timeout_ms: int = DEFAULT_PROBE_TIMEOUT_MS
) -> Inventory:
    """Ask every vendor's tool on this host, at once, and match what they report.

    A tool that is absent is no news; one that hangs, fails or prints what cannot be read gives a note, and so
    does a device that matches no type. ``timeout_ms`` bounds each command.
    """
    found: list[Found] = []
    notes: list[ProbeNote] = []
    with ThreadPoolExecutor(max_workers=max(1, len(vendors)), thread_name_prefix="probe") as pool:
        probes = list(pool.map(lambda vendor: vendor.probe(timeout_ms), vendors))
    for vendor, probe in zip(vendors, probes, strict=True):
        notes += probe.notes
        _match(catalog, vendor, probe, found, notes)
    return Inventory(found=tuple(found), notes=tuple(notes))


def _match(catalog: Catalog, vendor: Vendor, probe: Probe, found: list[Found], notes: list[ProbeNote]) -> None:
    seen: set[int] = set()
    for device in sorted(probe.devices, key=lambda one: one.index):
        matched = catalog.match(vendor.slug, device.product_name, device.memory_bytes)
        if device.index in seen:
            what = f"device {device.index} is listed twice; the second is left out"
        elif matched is None:
            what = f"device {device.index}, {_described(device)}, matches no type; an overlay can add it"
        else:
            found.append(Found(device=device, type=matched))
            what = "" if device.healthy else f"device {device.index} ({matched.name}) reports a fault"
        seen.add(device.index)
        if what:
            notes.append(ProbeNote(vendor=vendor.slug, tool=vendor.tool, what=what))


def _described(device: Device) -> str:
    if device.memory_bytes is None:
        return f"{device.product_name!r} of unknown memory"
    return f"{device.product_name!r} with {device.memory_bytes / 1024**3:.1f} GiB"
