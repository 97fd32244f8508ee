"""`catalog`: what is known of every type of accelerator, and how far it may be trusted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson

if TYPE_CHECKING:
    from petahour.client.chips import Chip

app = typer.Typer(help="List, show and compare types of accelerators.", rich_markup_mode=None, no_args_is_help=True)
TypeNames = Annotated[list[str], typer.Argument(metavar="TYPE...", help="Names of types, such as a100-80g-sxm.")]
Overlay = Annotated[
    Path | None,
    typer.Option("--catalog", envvar="PETAHOUR_CATALOG", help="An overlay with own measurements and own types."),
]
Live = Annotated[
    bool, typer.Option("--live", help="Ask the control plane, whose operator may have figures of his own.")
]


@app.command("list")
def list_types(
    vendor: Annotated[str | None, typer.Option(help="Only this vendor's.")] = None,
    quotable: Annotated[bool, typer.Option("--quotable", help="Only those that can be quoted unmeasured.")] = False,
    overlay: Overlay = None,
    live: Live = False,
    as_json: AsJson = False,
) -> None:
    """List the types of accelerators with their main figures."""
    from petahour.cli.catalog_view import show_list
    from petahour.cli.render import show_json

    chips = [chip for chip in _chips(overlay, live) if _wanted(chip, vendor, quotable)]
    if as_json:
        show_json({"types": chips})
    else:
        show_list(chips)


@app.command()
def show(names: TypeNames, overlay: Overlay = None, live: Live = False, as_json: AsJson = False) -> None:
    """Show types in full: every figure with its confidence and source, and the vendor's software."""
    from petahour.cli.catalog_view import show_chip
    from petahour.cli.render import show_json

    chips = _named(names, _chips(overlay, live))
    if as_json:
        show_json({"types": chips})
        return
    for place, chip in enumerate(chips):
        if place:
            typer.echo()
        show_chip(chip)


@app.command()
def compare(names: TypeNames, overlay: Overlay = None, live: Live = False, as_json: AsJson = False) -> None:
    """Put types side by side, each figure beside its ratio to the first type's."""
    from petahour.cli.catalog_view import comparison, show_comparison
    from petahour.cli.render import show_json

    chips = _named(names, _chips(overlay, live))
    if as_json:
        show_json({"types": [chip.name for chip in chips], "rows": comparison(chips)})
    else:
        show_comparison(chips)


def _chips(overlay: Path | None, live: bool) -> tuple[Chip, ...]:
    if live:
        from petahour.cli.session import connect

        with connect() as client:
            return client.catalog()
    from petahour.catalog import load_catalog
    from petahour.catalog.view import type_view
    from petahour.cli.render import plain
    from petahour.client.chips import Chip
    from petahour.client.decode import decode

    catalog = load_catalog(overlay)
    return tuple(decode(Chip, plain(type_view(catalog, known))) for known in catalog.types.values())


def _named(names: list[str], chips: tuple[Chip, ...]) -> list[Chip]:
    from petahour.catalog.catalog import unknown_type

    known = {chip.name: chip for chip in chips}
    others = Counter(alias.lower() for chip in chips for alias in chip.aliases)
    also = {alias.lower(): chip.name for chip in chips for alias in chip.aliases if others[alias.lower()] == 1}
    # What a type is also known as will do where it is one type's alone.
    names = [name if name in known else also.get(name.lower(), name) for name in names]
    for name in names:
        if name not in known:
            raise unknown_type(name, known)
    return [known[name] for name in dict.fromkeys(names)]


def _wanted(chip: Chip, vendor: str | None, quotable: bool) -> bool:
    return (vendor is None or chip.vendor == vendor) and (chip.quotable or not quotable)
