"""Loads the catalogue: the packaged TOML files, one per vendor, and an operator's overlay on top of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from petahour.catalog.catalog import Catalog
from petahour.catalog.facts import AcceleratorType
from petahour.catalog.tables import attributed, read_slug, read_type, read_vendor, refuse
from petahour.model.errors import ValidationError

MOST_OVERLAY_BYTES = 1024 * 1024

_Table = dict[str, object]
_Tables = dict[str, tuple[str, _Table]]  # by name: where the table stands, and what it says


def load_catalog(overlay: Path | None = None) -> Catalog:
    """The packaged catalogue, with the types and vendors of the overlay file added or changed.

    An overlay holds ``[[type]]`` and ``[[vendor]]`` tables like the packaged files. A table whose name is known
    changes only the fields it gives, and must give ``source`` and ``confidence`` anew: they are those of the figures
    it changes, while the other figures keep theirs. Raises ValidationError naming file, field and rule.
    """
    if overlay is None:
        return _packaged()
    return _assemble([*_packaged_texts(), (f"overlay {overlay.name}", _read_overlay(overlay))])


@lru_cache(maxsize=1)
def _packaged() -> Catalog:
    return _assemble(_packaged_texts())


def _packaged_texts() -> list[tuple[str, str]]:
    folder = resources.files("petahour.catalog") / "data"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return [(file.name, file.read_text(encoding="utf-8")) for file in sorted(files, key=lambda one: one.name)]


def _read_overlay(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_OVERLAY_BYTES + 1)
        if len(content) > MOST_OVERLAY_BYTES:
            refuse(path.name, "", len(content), f"at most {MOST_OVERLAY_BYTES} bytes", "Split it or trim it.")
        return content.decode("utf-8")
    except OSError as error:
        refuse(path.name, "", str(path), f"a file that can be read: {error.strerror}", "Check the path.")
    except UnicodeDecodeError as error:
        refuse(path.name, "", f"byte {error.start}", "text in UTF-8", "Save the file as UTF-8.")


def _assemble(texts: list[tuple[str, str]]) -> Catalog:
    """Merge the files' tables by name, in order, then read and cross-check what results."""
    vendor_tables: _Tables = {}
    accelerator_tables: _Tables = {}
    for file, text in texts:
        document = _parse(file, text)
        own = _tables(file, document, "vendor")
        _merge(vendor_tables, own, "slug", {})
        # A file about one vendor need not repeat its slug in every type that it adds.
        unless_given = {"vendor": own[0][1]["slug"]} if len(own) == 1 else {}
        _merge(accelerator_tables, _tables(file, document, "type"), "name", unless_given)
    vendors = {name: read_vendor(where, table) for name, (where, table) in sorted(vendor_tables.items())}
    types: dict[str, AcceleratorType] = {}
    for name, (where, table) in sorted(accelerator_tables.items()):
        types[name] = read_type(where, table)
        if types[name].vendor not in vendors:
            refuse(where, "vendor", types[name].vendor, "a vendor that has a [[vendor]] table")
        _unambiguous(where, types[name], types)
    return Catalog(types=MappingProxyType(types), vendors=MappingProxyType(vendors))


def _parse(file: str, text: str) -> _Table:
    try:
        document: _Table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValidationError(
            field=file, value=None, rule=f"well-formed TOML: {error}", remedy="Correct the syntax there."
        ) from error
    for key in document:
        if key not in ("vendor", "type"):
            refuse(file, key, key, "only [[vendor]] and [[type]] tables", "Remove it or correct its name.")
    return document


def _tables(file: str, document: Mapping[str, object], key: str) -> list[tuple[str, _Table]]:
    listed = document.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
        refuse(file, key, type(listed).__name__, f"a list of tables, each begun by [[{key}]]")
    return [(f"{file}: {key}[{position}]", table) for position, table in enumerate(listed)]


def _merge(known: _Tables, added: list[tuple[str, _Table]], key: str, unless_given: _Table) -> None:
    """Add one file's tables to those known, field by field where the name is known from an earlier file."""
    own: set[str] = set()
    for where, table in added:
        name = read_slug(where, table, key)
        if name in own:
            refuse(where, key, name, "a name given once in a file")
        own.add(name)
        if name not in known:
            known[name] = (where, {**unless_given, **attributed(table)})
            continue
        for required in ("source", "confidence"):
            if required not in table:
                refuse(where, required, None, "given anew when a table changes", "Say where the change is from.")
        known[name] = (where, {**known[name][1], **attributed(table)})


def _unambiguous(where: str, added: AcceleratorType, types: Mapping[str, AcceleratorType]) -> None:
    """Types may share an alias only when their memory tells them apart."""
    for other in types.values():
        shared = {alias.lower() for alias in added.aliases} & {alias.lower() for alias in other.aliases}
        alike = other.vendor == added.vendor and other.memory_bytes == added.memory_bytes
        if other.name != added.name and shared and alike:
            rule = f"an alias of one type only, or of types that differ in memory (also {other.name})"
            refuse(where, "aliases", sorted(shared)[0], rule)
