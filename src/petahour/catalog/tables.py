"""Validated reading of one TOML table: typed fields, no unknown keys, errors that name the file and field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from petahour.catalog.catalog import nearest
from petahour.catalog.facts import AcceleratorType, Confidence, Figure, Topology, TrainingRun, VendorStack
from petahour.catalog.quantities import QUANTITIES, Quantity
from petahour.model.errors import ValidationError

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_MONTH = re.compile(r"\d{4}(-\d{2})?")

_TYPE_FIELDS = (
    *("name", "vendor", "title", "link", "topology", "network", "process", "released", "runs", "notes"),
    *("source", "confidence", "aliases"),
    *QUANTITIES,
)
_VENDOR_FIELDS = (
    *("slug", "title", "visible_devices", "also_reads", "container_variables", "device_nodes", "resources", "tool"),
    *("collectives", "torch_package", "torch_device", "source", "confidence", "launch"),
)
_FIGURE_FIELDS = ("value", "source", "confidence")
_RUN_FIELDS = ("workload", "accelerators", "mfu", "source", "confidence")


def read_type(where: str, table: Mapping[str, object]) -> AcceleratorType:
    """The accelerator type a table states. ``where`` is the file and table for errors."""
    _known_fields(where, table, _TYPE_FIELDS)
    source, confidence = _text(where, table, "source"), _confidence(where, table)
    figures = {
        quantity.name: _figure(where, table, quantity, source, confidence)
        for quantity in QUANTITIES.values()
        if quantity.name in table
    }
    return AcceleratorType(
        name=read_slug(where, table, "name"),
        vendor=read_slug(where, table, "vendor"),
        title=_text(where, table, "title"),
        figures=MappingProxyType(figures),
        link=_optional_text(where, table, "link"),
        topology=_topology(where, table),
        network=_optional_text(where, table, "network"),
        process=_optional_text(where, table, "process"),
        released=_month(where, table, "released"),
        runs=_runs(where, table),
        notes=_texts(where, table, "notes"),
        source=source,
        confidence=confidence,
        aliases=_texts(where, table, "aliases"),
    )


def attributed(table: Mapping[str, object]) -> dict[str, object]:
    """The table with every plain figure made one that carries the table's own source and confidence.

    Done before tables are merged, so that a figure keeps its source when another file changes its neighbours.
    """
    own = {key: table[key] for key in ("source", "confidence") if key in table}
    spread: dict[str, object] = {}
    for key, value in table.items():
        if key not in QUANTITIES:
            spread[key] = value
        elif isinstance(value, dict):
            spread[key] = {**own, **value}
        else:
            spread[key] = {**own, "value": value}
    return spread


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
        resources=_texts(where, table, "resources"),
        tool=_text(where, table, "tool", may_be_empty=True),
        collectives=_text(where, table, "collectives"),
        torch_package=_text(where, table, "torch_package"),
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


def _figure(
    where: str, table: Mapping[str, object], quantity: Quantity, source: str, confidence: Confidence
) -> Figure:
    """A figure, given as a number or as a table with its own source and confidence."""
    key = quantity.name
    stated = table[key]
    if isinstance(stated, dict):
        inner = f"{where}.{key}"
        _known_fields(inner, stated, _FIGURE_FIELDS)
        source = _text(inner, stated, "source") if "source" in stated else source
        confidence = _confidence(inner, stated) if "confidence" in stated else confidence
        stated = stated.get("value")
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 < stated <= quantity.most:
        rule = f"a number above 0 and at most {quantity.most:g}"
        refuse(where, key, stated, rule, "Leave out what is not known.")
    if quantity.whole and stated != int(stated):
        refuse(where, key, stated, "a whole number")
    return Figure(value=float(stated), source=source, confidence=confidence)


def _runs(where: str, table: Mapping[str, object]) -> tuple[TrainingRun, ...]:
    listed = table.get("runs", [])
    if not isinstance(listed, list) or not all(isinstance(run, dict) for run in listed):
        refuse(where, "runs", type(listed).__name__, "a list of tables")
    return tuple(_run(f"{where}.runs[{position}]", run) for position, run in enumerate(listed))


def _run(where: str, table: Mapping[str, object]) -> TrainingRun:
    _known_fields(where, table, _RUN_FIELDS)
    accelerators, mfu = table.get("accelerators"), table.get("mfu")
    if isinstance(accelerators, bool) or not isinstance(accelerators, int) or not 0 < accelerators <= 10_000_000:
        refuse(where, "accelerators", accelerators, "a whole number from 1")
    if isinstance(mfu, bool) or not isinstance(mfu, int | float) or not 0 < mfu <= 1:
        refuse(where, "mfu", mfu, "a part of the peak, above 0 and at most 1")
    return TrainingRun(
        workload=_text(where, table, "workload"),
        accelerators=accelerators,
        mfu=float(mfu),
        source=_text(where, table, "source"),
        confidence=_confidence(where, table),
    )


def _optional_text(where: str, table: Mapping[str, object], key: str) -> str | None:
    return _text(where, table, key) if key in table else None


def _month(where: str, table: Mapping[str, object], key: str) -> str | None:
    stated = _optional_text(where, table, key)
    if stated is not None and not _MONTH.fullmatch(stated):
        refuse(where, key, stated, "a month such as 2023-11, or a year")
    return stated


def _topology(where: str, table: Mapping[str, object]) -> Topology | None:
    if "topology" not in table:
        return None
    value = table["topology"]
    if not isinstance(value, str) or value not in {kind.value for kind in Topology}:
        refuse(where, "topology", value, f"one of {', '.join(kind.value for kind in Topology)}")
    return Topology(value)


def _confidence(where: str, table: Mapping[str, object]) -> Confidence:
    value = table.get("confidence")
    if not isinstance(value, str) or value not in {grade.value for grade in Confidence}:
        grades = ", ".join(grade.value for grade in Confidence)
        refuse(where, "confidence", value, f"one of {grades}")
    return Confidence(value)
