"""Tables: the ``[[name]]`` tables of a TOML file as entries of a schema, refused by number, field and remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from pydantic import ValidationError as SchemaError

from petahour.model.errors import ValidationError

Entry = TypeVar("Entry", bound=BaseModel)
_RULES = {"extra_forbidden": "no such field", "missing": "must be given", "string_type": "text in quotes"}


def read_tables(path: Path, name: str, least: str) -> object:
    """What a file that holds these tables alone says under their name; ``least``: the fields that one must have.

    Raises ValidationError for a file that cannot be read, holds anything else, or none of them.
    """
    try:
        parsed = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise refused(str(path), None, f"a readable TOML file ({error})", "Check the path and the file.") from None
    extra = sorted(set(parsed) - {name})
    if extra:
        raise refused(f"{path.name}: {extra[0]}", None, f"a file of [[{name}]] tables alone", f"Write [[{name}]].")
    if not parsed.get(name):
        raise refused(f"{path.name}: {name}", None, f"at least one [[{name}]]", f"Add one: {least}.")
    return parsed[name]


def numbered(tables: object, file: str, name: str, most: int) -> list[tuple[str, object]]:
    """The tables, each with what errors call it; none where there are none. Raises ValidationError for too many."""
    if tables is None:
        return []
    if not isinstance(tables, list) or len(tables) > most:
        raise refused(f"{file}: {name}", None, f"at most {most} [[{name}]] tables", f"Write [[{name}]].")
    return [(f"{file}: {name} {number}", table) for number, table in enumerate(tables, 1)]


def entry_of(schema: type[Entry], table: object, where: str, remedy: str) -> Entry:
    """The table as an entry. Raises ValidationError naming the first field that is wrong."""
    if not isinstance(table, Mapping):
        raise refused(where, None, "a table", remedy)
    try:
        return schema.model_validate(dict(table))
    except SchemaError as error:
        first = error.errors()[0]
        kind = first["type"]
        raise refused(
            f"{where}.{'.'.join(str(part) for part in first['loc'])}",
            None if kind == "missing" else first["input"],
            _RULES.get(kind, first["msg"]),
            remedy,
        ) from None


def refused(field: str, value: object, rule: str, remedy: str) -> ValidationError:
    """The error of a field."""
    return ValidationError(field=field, value=value, rule=rule, remedy=remedy)
