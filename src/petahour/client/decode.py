"""From JSON values to frozen dataclasses, by their annotations. Unknown fields are ignored, wrong types are not."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import TypeVar, get_args, get_origin, get_type_hints

from petahour.client.errors import ProtocolError

T = TypeVar("T")


def decode(kind: type[T], value: object, *, place: str = "answer") -> T:
    """``value`` as a ``kind``: a dataclass of scalars, tuples, mappings and further dataclasses.

    Raises ProtocolError naming the place when a field is missing or of another type.
    """
    made = _decode(kind, value, place)
    if not isinstance(made, kind):
        raise _unexpected(place, value, kind.__name__)
    return made


def _decode(kind: object, value: object, place: str) -> object:
    if kind is object:
        return value
    if get_origin(kind) is types.UnionType:
        return _optional(kind, value, place)
    if get_origin(kind) is tuple:
        return _items(get_args(kind)[0], value, place)
    if get_origin(kind) is Mapping:
        return _mapping(get_args(kind)[1], value, place)
    if isinstance(kind, type):
        if is_dataclass(kind):
            return _record(kind, value, place)
        return _scalar(kind, value, place)
    raise TypeError(f"{place} has a type that cannot be decoded: {kind}")


def _optional(kind: object, value: object, place: str) -> object:
    if value is None:
        return None
    (inner,) = (part for part in get_args(kind) if part is not types.NoneType)
    return _decode(inner, value, place)


def _items(inner: object, value: object, place: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _unexpected(place, value, "a list")
    return tuple(_decode(inner, item, f"{place}[{index}]") for index, item in enumerate(value))


def _mapping(inner: object, value: object, place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _unexpected(place, value, "an object")
    return {str(name): _decode(inner, item, f"{place}.{name}") for name, item in value.items()}


def _record(kind: type, value: object, place: str) -> object:
    if not isinstance(value, dict):
        raise _unexpected(place, value, "an object")
    found: dict[str, object] = {}
    for name, hint, required in _fields(kind):
        if name in value:
            found[name] = _decode(hint, value[name], f"{place}.{name}")
        elif required:
            raise _unexpected(f"{place}.{name}", None, "a value")
    return kind(**found)


@cache
def _fields(kind: type) -> tuple[tuple[str, object, bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (item.name, hints[item.name], item.default is MISSING and item.default_factory is MISSING)
        for item in fields(kind)
    )


def _scalar(kind: type, value: object, place: str) -> object:
    if issubclass(kind, StrEnum):
        try:
            return kind(str(value))
        except ValueError:
            raise _unexpected(place, value, f"one of {', '.join(kind)}") from None
    if kind is int and isinstance(value, bool):
        raise _unexpected(place, value, "int")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # JSON does not tell 4 from 4.0.
    if not isinstance(value, kind):
        raise _unexpected(place, value, kind.__name__)
    return value


def _unexpected(place: str, value: object, wanted: str) -> ProtocolError:
    return ProtocolError(
        field=place,
        value=value,
        rule=f"the control plane answers with {wanted} here",
        remedy="Check that the URL is a Petahour control plane of a fitting version.",
    )
