"""Biren: reads the rows of ``brsmi gpu --query-gpu``.

No vendor document of the tool was seen: the options and columns are those that public deployment scripts use.
"""

from __future__ import annotations

from petahour.vendors.device import Device
from petahour.vendors.readings import index, mebibytes, unreadable

TOOL = "brsmi"
COLUMNS = ("index", "name", "memory.used", "memory.free")
COMMANDS = ((TOOL, "gpu", f"--query-gpu={','.join(COLUMNS)}", "--format=csv,noheader,nounits"),)
SLUG = "biren"


def parse(text: str) -> tuple[Device, ...]:
    """The devices listed, one per line in the order of COLUMNS. Raises ValidationError on any other line.

    Memory is the sum of what is used and what is free, in MiB with or without the unit.
    """
    devices: list[Device] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        row = [cell.strip() for cell in line.split(",")]
        position = index(row[0])
        if len(row) != len(COLUMNS) or position is None or not row[1]:
            raise unreadable(TOOL, f"rows of {', '.join(COLUMNS)}", line)
        devices.append(Device(vendor=SLUG, index=position, product_name=row[1], memory_bytes=_sum(row[2], row[3])))
    return tuple(devices)


def _sum(used: str, free: str) -> int | None:
    # A fully used device reports 0 free, which reads as unknown; so only a missing figure on both is unknown.
    total = (mebibytes(used) or 0) + (mebibytes(free) or 0)
    known = used[:1].isdigit() and free[:1].isdigit()
    return total if known and total else None
