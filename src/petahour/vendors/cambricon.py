"""Cambricon: reads the table of ``cnmon``."""

from __future__ import annotations

import re

from petahour.vendors.device import Device
from petahour.vendors.readings import cells, index, mebibytes, number, require_header

TOOL = "cnmon"
COMMANDS = ((TOOL,),)
SLUG = "cambricon"

_TEMPERATURE = re.compile(r"([0-9]{1,3}) ?C\b")
_POWER = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) ?W ?/")


def parse(text: str) -> tuple[Device, ...]:
    """The devices listed. Raises ValidationError on text that is not this table.

    A device takes two rows: "Card VF Name Firmware | Bus-Id or state | Util Ecc-Error" above "Fan Temp Pwr |
    Memory-Usage | Mode". A card of two chips is listed as two devices. A count of memory errors that
    correction could not repair marks the device unhealthy.
    """
    require_header(TOOL, text, ("CNMON", "Card", "Memory-Usage"))
    table = text.split("Processes:")[0]
    devices: list[Device] = []
    first: list[str] | None = None
    for line in table.splitlines():
        row = cells(line)
        if not line.lstrip().startswith("|") or len(row) != 3:
            continue
        words = row[0].split()
        if len(words) >= 3 and index(words[0]) is not None and words[1] == "/":
            first = row
        elif first is not None:
            devices += _device(first, row)
            first = None
    return tuple(devices)


def _device(first: list[str], second: list[str]) -> list[Device]:
    words = first[0].split()
    position = index(words[0])
    if position is None:
        return []
    state = first[2].split()
    errors = index(state[-1]) if len(state) > 1 else None
    temperature = _TEMPERATURE.search(second[0])
    power = _POWER.search(second[0])
    return [
        Device(
            vendor=SLUG,
            index=position,
            product_name=words[2],
            memory_bytes=mebibytes(second[1].partition("/")[2].strip()),
            healthy=not errors,
            temperature_c=None if temperature is None else float(temperature.group(1)),
            power_w=None if power is None else float(power.group(1)),
            utilisation_percent=number(state[0]) if state else None,
        )
    ]
