"""The catalogue: types by name, vendors by slug, and the match from what a tool reports to a type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from petahour.catalog.facts import AcceleratorType, VendorStack
from petahour.model.errors import ValidationError

# Tools report usable memory, which error correction and firmware make smaller than nominal (20638 MiB was seen
# on a 24 GiB chip); rounding may also make it slightly larger. Outside this range it is another product.
LEAST_MEMORY_RATIO = 0.8
MOST_MEMORY_RATIO = 1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Every known type and vendor. Both mappings are read-only and ordered by key."""

    types: Mapping[str, AcceleratorType]
    vendors: Mapping[str, VendorStack]

    def get(self, name: str) -> AcceleratorType:
        """The type of that name. Raises ValidationError naming the nearest known names."""
        found = self.types.get(name)
        if found is None:
            raise unknown_type(name, self.types)
        return found

    def for_quote(self, name: str) -> AcceleratorType:
        """The type of that name, when its figures are known well enough to quote it.

        Raises ValidationError saying which figures nobody has established, and how to go on without them.
        """
        found = self.get(name)
        if not found.quotable:
            lacking = ", ".join(found.missing_for_quote) or "its figures as a whole"
            raise ValidationError(
                field="types",
                value=name,
                rule=f"a type with established figures; of {found.title} nobody has established {lacking}",
                remedy="Measure a short run and quote from that, or state the figures in a catalogue overlay.",
            )
        return found

    def vendor(self, slug: str) -> VendorStack:
        """The software stack of the vendor. Raises ValidationError naming the nearest known slugs."""
        found = self.vendors.get(slug)
        if found is None:
            raise ValidationError(
                field="vendor",
                value=slug,
                rule="a vendor that the catalogue knows",
                remedy=nearest(slug, self.vendors),
            )
        return found

    def match(self, vendor: str, product_name: str, memory_bytes: int | None) -> AcceleratorType | None:
        """The type behind what a vendor's tool reports, or None when none fits or several fit equally.

        Names are compared without case, spaces and punctuation. Memory, in bytes as reported, tells apart types
        that share a name and rejects a device whose memory is not the type's: better unmatched than rented out
        as something larger.
        """
        wanted = _plain(product_name)
        fitting = [
            candidate
            for candidate in self.types.values()
            if candidate.vendor == vendor
            and wanted in _spellings(candidate)
            and _memory_fits(candidate.memory_bytes, memory_bytes)
        ]
        return fitting[0] if len(fitting) == 1 else None

    def device_variables(self) -> frozenset[str]:
        """Every variable by which some vendor's stack picks devices.

        A launcher removes them from an inherited environment before it sets those of the allocated type.
        """
        return frozenset(
            name
            for stack in self.vendors.values()
            for name in (*stack.visible_devices, *stack.also_reads, *stack.container_variables)
        )


def unknown_type(name: str, known: Iterable[str]) -> ValidationError:
    """The error of a type that is not among the known ones; it offers the nearest names."""
    return ValidationError(
        field="types",
        value=name,
        rule="a type of accelerator that the catalogue knows",
        remedy=nearest(name, known),
    )


def nearest(wanted: str, known: Iterable[str]) -> str:
    """A remedy that names the known names closest to the wanted one."""
    names = sorted(known)
    close = [name for name in names if wanted and wanted.lower() in name][:4]
    if not close:
        close = difflib.get_close_matches(wanted[:100].lower(), names, n=4, cutoff=0.5)
    if close:
        return f"Did you mean {', '.join(close)}?"
    return f"Known names: {', '.join(names[:60])}."


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def _spellings(accelerator: AcceleratorType) -> set[str]:
    return {_plain(text) for text in (accelerator.name, accelerator.title, *accelerator.aliases)}


def _memory_fits(nominal_bytes: int | None, reported_bytes: int | None) -> bool:
    if nominal_bytes is None or reported_bytes is None:
        return True
    return LEAST_MEMORY_RATIO <= reported_bytes / nominal_bytes <= MOST_MEMORY_RATIO
