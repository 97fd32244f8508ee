"""Validated reading of one TOML table: typed fields, no unknown keys, errors that name the file and field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from petahour.catalog.catalog import nearest
from petahour.catalog.facts import AcceleratorType, Confidence, VendorStack
from petahour.model.errors import ValidationError

BYTES_PER_GIB = 1024**3
MOST_GIB = 1_000_000
MOST_FIGURE = 1e9

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")

_TYPE_FIELDS = (
    *("name", "vendor", "title", "bf16_tflops", "fp16_tflops", "int8_tops", "fp8_tflops", "memory_gib"),
    *("memory_bandwidth_gb_s", "link_bandwidth_gb_s", "power_w", "source", "confidence", "aliases"),
)
_VENDOR_FIELDS = (
    *("slug", "title", "visible_devices", "also_reads", "container_variables", "device_nodes", "tool"),
    *("collectives", "torch_device", "source", "confidence", "launch"),
)


def read_type(where: str, table: Mapping[str, object]) -> AcceleratorType:
    """The accelerator type a table states. ``where`` is the file and table for errors."""
    _known_fields(where, table, _TYPE_FIELDS)
    memory_gib = _figure(where, table, "memory_gib", most=MOST_GIB)
    return AcceleratorType(
        name=read_slug(where, table, "name"),
        vendor=read_slug(where, table, "vendor"),
        title=_text(where, table, "title"),
        bf16_tflops=_figure(where, table, "bf16_tflops"),
        fp16_tflops=_figure(where, table, "fp16_tflops"),
        int8_tops=_figure(where, table, "int8_tops"),
        fp8_tflops=_figure(where, table, "fp8_tflops"),
        memory_bytes=None if memory_gib is None else round(memory_gib * BYTES_PER_GIB),
        memory_bandwidth_gb_s=_figure(where, table, "memory_bandwidth_gb_s"),
        link_bandwidth_gb_s=_figure(where, table, "link_bandwidth_gb_s"),
        power_w=_figure(where, table, "power_w"),
        source=_text(where, table, "source"),
        confidence=_confidence(where, table),
        aliases=_texts(where, table, "aliases"),
    )


def read_vendor(where: str, table: Mapping[str, object]) -> VendorStack:
    """The vendor's software stack a table states. ``where`` is the file and table for errors."""
    _known_fields(where, table, _VENDOR_FIELDS)
    return VendorStack(
        slug=read_slug(where, table, "slug"),
        title=_text(where, table, "title"),
        visible_devices=_variables(where, table, "visible_devices"),
        also_reads=_variables(where, table, "also_reads"),
        container_variables=_variables(where, table, "container_variables"),
        device_nodes=_texts(where, table, "device_nodes"),
        tool=_text(where, table, "tool", may_be_empty=True),
        collectives=_text(where, table, "collectives"),
        torch_device=_text(where, table, "torch_device"),
        source=_text(where, table, "source"),
        confidence=_confidence(where, table),
        launch=_constants(where, table, "launch"),
    )


def read_slug(where: str, table: Mapping[str, object], key: str) -> str:
    """A required name in lower case, digits and hyphens, at most 64 characters."""
    value = table.get(key)
    if not isinstance(value, str) or len(value) > 64 or not _SLUG.fullmatch(value):
        refuse(where, key, value, "lower-case letters, digits and single hyphens, at most 64")
    return value


def refuse(where: str, key: str, value: object, rule: str, remedy: str | None = None) -> NoReturn:
    """Raise the ValidationError of a field in a catalogue file."""
    field = f"{where}.{key}" if key else where
    raise ValidationError(
        field=field,
        value=_showable(value),
        rule=rule,
        remedy=remedy or "Correct the field in the catalogue file.",
    )


def _showable(value: object) -> object:
    """The value, unless it is or holds an integer too long for Python to print."""
    try:
        repr(value)
    except ValueError:
        return "a number too long to show"
    return value


def _known_fields(where: str, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            refuse(where, key, table[key], "a field that the catalogue knows", nearest(key, known))


def _text(where: str, table: Mapping[str, object], key: str, *, may_be_empty: bool = False) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        refuse(where, key, value, "a required text that is not empty")
    return value


def _texts(where: str, table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        refuse(where, key, value, "a list of texts")
    texts = tuple(item for item in value if isinstance(item, str) and item.strip())
    if len(texts) != len(value) or len(set(texts)) != len(texts):
        refuse(where, key, value, "a list of distinct texts that are not empty")
    return texts


def _variables(where: str, table: Mapping[str, object], key: str) -> tuple[str, ...]:
    names = _texts(where, table, key)
    for name in names:
        if not _VARIABLE.fullmatch(name):
            refuse(where, key, name, "names of environment variables: upper case, digits, underscores")
    return names


def _constants(where: str, table: Mapping[str, object], key: str) -> Mapping[str, str]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        refuse(where, key, value, "a table of environment variables")
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name) or not isinstance(text, str) or "\0" in text:
            refuse(where, f"{key}.{name}", text, "an upper-case environment variable with a text")
    return dict(value)


def _figure(where: str, table: Mapping[str, object], key: str, *, most: float = MOST_FIGURE) -> float | None:
    if key not in table:
        return None
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        refuse(where, key, value, f"a number above 0 and at most {most:g}", "Leave out what is not known.")
    return float(value)


def _confidence(where: str, table: Mapping[str, object]) -> Confidence:
    value = table.get("confidence")
    if not isinstance(value, str) or value not in {grade.value for grade in Confidence}:
        grades = ", ".join(grade.value for grade in Confidence)
        refuse(where, "confidence", value, f"one of {grades}")
    return Confidence(value)
