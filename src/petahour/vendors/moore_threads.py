"""Moore Threads: reads the table of ``mthreads-gmi``."""

from __future__ import annotations

import re

from petahour.vendors.device import Device
from petahour.vendors.readings import cells, index, mebibytes, number, require_header

TOOL = "mthreads-gmi"
COMMANDS = ((TOOL,),)
SLUG = "moore-threads"

_USED_OF_TOTAL = re.compile(r"\(\s*([0-9]{1,12} ?MiB)\s*\)")


def parse(text: str) -> tuple[Device, ...]:
    """The devices listed. Raises ValidationError on text that is not this table.

    A device begins with "ID Name | PCIe | %GPU Mem" and goes on with rows that begin with a blank: lane width
    and temperature, then the error-correction mode. The table states no power and no unique id.
    """
    require_header(TOOL, text, ("Driver Version", "Name", "%GPU"))
    table = text.split("Processes:")[0]
    devices: list[Device] = []
    first: list[str] | None = None
    for line in table.splitlines():
        row = cells(line)
        if len(row) != 3:
            continue
        if line[:1].isdigit():
            first = row
        elif first is not None and line.strip().startswith("Physical"):
            devices += _device(first, row)
            first = None
    return tuple(devices)


def _device(first: list[str], second: list[str]) -> list[Device]:
    number_and_name = first[0].split(maxsplit=1)
    position = index(number_and_name[0]) if len(number_and_name) == 2 else None
    if position is None:
        return []
    load, _, memory = first[2].partition("%")
    total = _USED_OF_TOTAL.search(memory)
    return [
        Device(
            vendor=SLUG,
            index=position,
            product_name=number_and_name[1],
            memory_bytes=None if total is None else mebibytes(total.group(1)),
            temperature_c=number(second[2].split("C")[0]),
            utilisation_percent=number(load),
        )
    ]
