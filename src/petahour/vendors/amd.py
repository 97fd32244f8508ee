"""AMD: reads the JSON of ``amd-smi static`` and ``amd-smi metric``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from petahour.vendors.device import Device
from petahour.vendors.readings import BYTES_PER_MIB, MOST_DEVICES, unreadable

TOOL = "amd-smi"
COMMANDS = (
    (TOOL, "static", "--asic", "--vram", "--json"),
    (TOOL, "metric", "--usage", "--power", "--temperature", "--json"),
)
SLUG = "amd"

# The most that a JSON number may be and still be a plausible reading.
_MOST_READING = 1e9


def parse(text: str) -> tuple[Device, ...]:
    """The devices described by one or more JSON documents in a row, joined by their "gpu" number.

    The first kind of document describes the chip ("asic", "vram"), the second its readings ("usage", "power",
    "temperature"); readings alone do not make a device. Raises ValidationError on text that is not such JSON.
    """
    described: dict[int, Mapping[str, object]] = {}
    for document in _documents(text):
        for entry in _entries(document):
            position = entry.get("gpu")
            if not isinstance(position, int) or not 0 <= position < MOST_DEVICES:
                raise unreadable(TOOL, "a small whole number as each entry's 'gpu'", str(entry))
            described[position] = {**described.get(position, {}), **entry}
    named = ((position, entry) for position, entry in sorted(described.items()) if "asic" in entry)
    return tuple(_device(position, entry) for position, entry in named)


def _documents(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest:
        try:
            document, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError) as error:
            raise unreadable(TOOL, "JSON documents", rest) from error
        yield document
        rest = rest[end:].lstrip()


def _entries(document: object) -> list[Mapping[str, object]]:
    """Older releases print a list of devices, newer ones an object that holds it as "gpu_data"."""
    listed = document.get("gpu_data") if isinstance(document, dict) else document
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise unreadable(TOOL, "a list of devices, or one under 'gpu_data'", str(document))
    return listed


def _device(position: int, entry: Mapping[str, object]) -> Device:
    memory_mib = _reading(entry, "vram", "size")
    power_w = _reading(entry, "power", "socket_power")
    temperature_c = _reading(entry, "temperature", "hotspot")
    return Device(
        vendor=SLUG,
        index=position,
        product_name=_text(entry, "asic", "market_name") or "",
        memory_bytes=None if not memory_mib else round(memory_mib) * BYTES_PER_MIB,
        uuid=_text(entry, "asic", "asic_serial"),
        temperature_c=_reading(entry, "temperature", "edge") if temperature_c is None else temperature_c,
        power_w=_reading(entry, "power", "current_socket_power") if power_w is None else power_w,
        utilisation_percent=_reading(entry, "usage", "gfx_activity"),
    )


def _field(entry: Mapping[str, object], section: str, key: str) -> object:
    inner = entry.get(section)
    return inner.get(key) if isinstance(inner, dict) else None


def _text(entry: Mapping[str, object], section: str, key: str) -> str | None:
    value = _field(entry, section, key)
    return value.strip() if isinstance(value, str) and value.strip() not in ("", "N/A") else None


def _reading(entry: Mapping[str, object], section: str, key: str) -> float | None:
    """A number, bare or as {"value": ..., "unit": ...}; "N/A" and the like are None."""
    value = _field(entry, section, key)
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if abs(value) <= _MOST_READING else None
