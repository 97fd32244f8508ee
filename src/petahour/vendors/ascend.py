"""Huawei Ascend: reads the table of ``npu-smi info``."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.vendors.device import Device
from petahour.vendors.readings import cells, index, mebibytes, number, require_header

TOOL = "npu-smi"
COMMANDS = ((TOOL, "info"),)
SLUG = "huawei"


@dataclass(frozen=True, kw_only=True, slots=True)
class _UpperRow:
    """The first of a chip's two rows: card number and name, health, power and temperature."""

    name: str
    health: str
    power_w: float | None
    temperature_c: float | None


def parse(text: str) -> tuple[Device, ...]:
    """The chips listed, in order. Raises ValidationError on text that is not this table.

    A chip takes two rows: "NPU Name | Health | Power Temp Hugepages" above "Chip Phy-ID | Bus-Id | AICore Memory
    HBM". ASCEND_RT_VISIBLE_DEVICES takes logical numbers, which count the listed chips from 0; the printed card
    and physical numbers have gaps on some servers and in containers, so the order is what counts.
    """
    require_header(TOOL, text, ("NPU", "Health", "Bus-Id"))
    table = text.split("Process id")[0]
    devices: list[Device] = []
    upper: _UpperRow | None = None
    for line in table.splitlines():
        row = cells(line)
        if not line.lstrip().startswith("|") or len(row) != 3:
            continue
        begun = _upper_row(row)
        if begun is not None:
            upper = begun
        elif upper is not None and index(row[0].split(" ")[0]) is not None:
            devices.append(_device(len(devices), upper, row))
            upper = None
    return tuple(devices)


def _upper_row(row: list[str]) -> _UpperRow | None:
    words = row[0].split()
    if len(words) < 2 or index(words[0]) is None or ":" in row[1] or not words[1][0].isalnum():
        return None
    if len(words) == 2 and index(words[1]) is not None:
        return None
    readings = row[2].split()
    return _UpperRow(
        name=" ".join(words[1:]),
        health=row[1],
        power_w=number(readings[0]) if readings else None,
        temperature_c=number(readings[1]) if len(readings) > 1 else None,
    )


def _device(position: int, upper: _UpperRow, row: list[str]) -> Device:
    """HBM is the last "used / total" of the row; chips without HBM print their DDR there, or 0."""
    pairs = row[2].split("/")
    sizes = [size for size in (mebibytes(part.split()[0]) for part in pairs[1:] if part.split()) if size]
    return Device(
        vendor=SLUG,
        index=position,
        product_name=upper.name,
        memory_bytes=sizes[-1] if sizes else None,
        healthy=upper.health.upper() == "OK",
        temperature_c=upper.temperature_c,
        power_w=upper.power_w,
        utilisation_percent=number(row[2].split()[0]) if row[2].split() else None,
    )
