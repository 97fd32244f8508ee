"""How types of accelerators are shown: as a list, in full, and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from petahour.catalog.quantities import EFFICIENCIES, HEADINGS, QUANTITIES, Quantity
from petahour.cli.render import Column, make_table, print_plain, show_facts, show_table
from petahour.client.chips import Chip

# Fewer letters in a list: what a figure is worth, from a vendor's sheet down to hearsay.
GRADES = {"datasheet": "sheet", "measured": "measured", "memory": "recalled", "vendor-claim": "claim"}


def show_list(chips: Sequence[Chip]) -> None:
    """One line a type: peak, memory, links, power, and whether it can be quoted."""
    columns = (
        Column(title="TYPE"),
        *(Column(title=title, right=True) for title in ("16-BIT", "FP8", "GIB", "GB/S", "LINK", "OF", "NODE")),
        *(Column(title=title, right=True) for title in ("GBIT/S", "WATTS")),
        Column(title="TRUST"),
        Column(title="QUOTED"),
    )
    rows = [
        (
            chip.name,
            number(_half(chip)),
            *(number(chip.value(name)) for name in ("fp8_tflops", "memory_gib", "memory_bandwidth_gb_s")),
            *(number(chip.value(name)) for name in ("link_bandwidth_gb_s", "link_domain", "node_accelerators")),
            *(number(chip.value(name)) for name in ("network_gbit_s", "power_w")),
            GRADES.get(chip.confidence, "-"),
            "yes" if chip.quotable else "no",
        )
        for chip in chips
    ]
    show_table(columns, rows, empty="No such types.")
    if rows:
        typer.echo(
            "\n16-bit and FP8: dense TFLOPS. Link: in-node GB/s both ways, among OF accelerators. Gbit/s: network per"
            '\naccelerator. "petahour catalog show TYPE" has every figure with its source.'
        )


def show_chip(chip: Chip) -> None:
    """Everything known of one type, by heading, with the trust and source of each figure."""
    typer.echo(f"{chip.title} ({chip.name})")
    about = [chip.stack.title, chip.process, chip.released and f"released {chip.released}"]
    typer.echo(", ".join(part for part in about if part))
    rows: list[tuple[object, ...]] = []
    for heading in HEADINGS:
        shown = [quantity for quantity in QUANTITIES.values() if quantity.heading == heading]
        rows += [_figure_row(chip, quantity) for quantity in shown if quantity.name in chip.figures]
    typer.echo()
    columns = (
        Column(title="FIGURE"),
        Column(title="VALUE", right=True),
        Column(title="UNIT"),
        Column(title="TRUST"),
        Column(title="SOURCE", wraps=True),
    )
    show_table(columns, rows, empty="No figure is established.")
    typer.echo()
    show_facts(_facts(chip))
    if chip.runs:
        typer.echo()
        _show_runs(chip)
    for note in chip.notes:
        typer.echo(f"\nNote: {note}")
    if chip.not_quoted:
        typer.echo(f"\nNot quoted: {chip.not_quoted}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a comparison: values by type, and their ratios to the first type's (None where not known)."""

    title: str
    unit: str
    values: tuple[float | None, ...]
    ratios: tuple[float | None, ...]


def comparison(chips: Sequence[Chip]) -> list[Row]:
    """The figures that any of the types states, and what follows from them per watt and per operation."""
    rows = [
        _row(f"{quantity.heading}: {quantity.title}".strip(": "), quantity.unit, [chip.value(name) for chip in chips])
        for name, quantity in QUANTITIES.items()
    ]
    rows.append(
        _row("16-bit peak per watt", "GFLOPS/W", [_per(_half(chip), chip.value("power_w"), 1e3) for chip in chips])
    )
    bandwidths = [_per(chip.value("memory_bandwidth_gb_s"), _half(chip)) for chip in chips]
    rows.append(_row("memory bandwidth per 16-bit peak", "GB/TFLOP", bandwidths))
    links = [_per(chip.value("link_bandwidth_gb_s"), _half(chip)) for chip in chips]
    rows.append(_row("in-node link per 16-bit peak", "GB/TFLOP", links))
    return [row for row in rows if any(value is not None for value in row.values)]


def show_comparison(chips: Sequence[Chip]) -> None:
    """Types as columns; the ratio to the first type in brackets."""
    columns = [Column(title="FIGURE"), Column(title="UNIT"), *(Column(title=chip.name, right=True) for chip in chips)]
    rows = [(row.title, row.unit, *_cells(row)) for row in comparison(chips)]
    rows.append(("quoted unmeasured", "", *("yes" if chip.quotable else "no" for chip in chips)))
    print_plain(make_table(columns, rows))


def number(value: float | None) -> str | None:
    """``989.4``, ``1,979``, ``0.47``: as many digits as say something."""
    if value is None:
        return None
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if value >= 10 else f"{value:.3g}"


def _cells(row: Row) -> list[str | None]:
    cells: list[str | None] = []
    for place, (value, ratio) in enumerate(zip(row.values, row.ratios, strict=True)):
        text = number(value)
        cells.append(text if place == 0 or ratio is None or text is None else f"{text} ({ratio:.2f}x)")
    return cells


def _row(title: str, unit: str, values: Sequence[float | None]) -> Row:
    first = values[0]
    ratios = tuple(None if value is None or first is None else value / first for value in values)
    return Row(title=title, unit=unit, values=tuple(values), ratios=ratios)


def _figure_row(chip: Chip, quantity: Quantity) -> tuple[object, ...]:
    figure = chip.figures[quantity.name]
    share = chip.efficiencies.get(quantity.name)
    of_peak = f"{share:.0%} of {_peak_of(quantity.name)}; " if share is not None else ""
    title = f"{quantity.heading}: {quantity.title}"
    unit = " ".join(part for part in (figure.unit, f"({quantity.note})" if quantity.note else "") if part)
    return (
        title,
        number(figure.value),
        unit,
        GRADES.get(figure.confidence, figure.confidence),
        of_peak + figure.source,
    )


def _peak_of(measured: str) -> str:
    stated = dict(EFFICIENCIES).get(measured, "fp16_tflops")
    return f"the stated {QUANTITIES[stated].title}"


def _facts(chip: Chip) -> list[tuple[str, object]]:
    stack = chip.stack
    joined = ", ".join(part for part in (chip.link, chip.topology) if part)
    return [
        ("joined by", joined or None),
        ("network", chip.network),
        ("visible devices", " and ".join(stack.visible_devices) or None),
        ("also obeys", ", ".join(stack.also_reads) or None),
        ("in containers", ", ".join(stack.container_variables) or None),
        ("device nodes", ", ".join(stack.device_nodes) or None),
        ("kubernetes", ", ".join(stack.resources) or None),
        ("tool", stack.tool or None),
        ("collectives", stack.collectives),
        ("PyTorch", f"{stack.torch_package}, device {stack.torch_device!r}"),
        ("stack from", f"{stack.source} ({GRADES.get(stack.confidence, stack.confidence)})"),
        ("known as", ", ".join(chip.aliases) or None),
    ]


def _show_runs(chip: Chip) -> None:
    columns = (
        Column(title="PUBLISHED TRAINING"),
        Column(title="ACCELERATORS", right=True),
        Column(title="MFU", right=True),
        Column(title="SOURCE", wraps=True),
    )
    print_plain(
        make_table(columns, [(run.workload, run.accelerators, f"{run.mfu:.1%}", run.source) for run in chip.runs])
    )


def _half(chip: Chip) -> float | None:
    bf16 = chip.value("bf16_tflops")
    return bf16 if bf16 is not None else chip.value("fp16_tflops")


def _per(value: float | None, by: float | None, times: float = 1.0) -> float | None:
    return None if value is None or by is None else value / by * times
