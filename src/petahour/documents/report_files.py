"""Reports as JSON values, CSV and Parquet: whole numbers in the units that their columns name."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from petahour.billing.reports.table import Cell, Column, Holds, Report, parts_in
from petahour.model.money import MICROS
from petahour.model.time import HOUR_MS, to_iso

_DIGITS = 9
# How a column's name ends in a file, where the figure is no longer the whole number that it is inside.
_ENDS = {Holds.HOURS: "_hours", Holds.SHARE: "_share", Holds.DURATION: "_hours", Holds.ENERGY: "_kwh"}


def report_json(report: Report) -> dict[str, object]:
    """The report with its columns; cells are text or whole numbers in the column's unit."""
    return {
        "name": report.name,
        "title": report.title,
        "columns": [{"name": one.name, "title": one.title, "holds": one.holds.value} for one in report.columns],
        "rows": [list(row) for row in report.rows],
        "labels": list(report.labels),
        "series": list(report.series),
        "stacked": report.stacked,
        "notes": list(report.notes),
    }


def report_csv(report: Report) -> str:
    """CSV with amounts in the currency's units, time in hours and shares from 0 to 1. Totals are left out."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_name(column) for column in report.columns])
    for row in _rows(report):
        writer.writerow([f"{cell:f}" if isinstance(cell, Decimal) else cell or "" for cell in row])
    return out.getvalue()


def report_parquet(report: Report) -> bytes:
    """The same as columns of text, decimals and UTC timestamps."""
    # Loaded when it is needed: a control plane that serves should not wait for it to start.
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {Holds.TEXT: pa.string(), Holds.INSTANT: pa.timestamp("ms", "UTC")}
    schema = pa.schema([(_name(one), kinds.get(one.holds, pa.decimal128(38, 9))) for one in report.columns])
    rows = _rows(report)
    arrays = []
    for place, column in enumerate(report.columns):
        values = [row[place] for row in rows]
        kind = schema.field(place).type
        made = pa.array(values, pa.string()).cast(kind) if column.holds is Holds.INSTANT else pa.array(values, kind)
        arrays.append(made)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


def _rows(report: Report) -> list[list[str | Decimal | None]]:
    parts = [row for row in report.rows if "all" not in row[:2]]
    return [_row(report, row) for row in parts]


def _row(report: Report, row: tuple[Cell, ...]) -> list[str | Decimal | None]:
    """The values of a row; hours that are stacked sum to their whole in the file too."""
    values = [_value(column, cell) for column, cell in zip(report.columns, row, strict=True)]
    places = [report.place(name) for name in report.series if report.columns[report.place(name)].holds is Holds.HOURS]
    if report.stacked and places:
        parts = [cell if isinstance(cell, int) else 0 for cell in (row[place] for place in places)]
        for place, figure in zip(places, parts_in(parts, HOUR_MS, _DIGITS), strict=True):
            values[place] = figure
    return values


def _name(column: Column) -> str:
    return column.name + _ENDS.get(column.holds, "")


def _value(column: Column, cell: Cell) -> str | Decimal | None:
    if cell is None or isinstance(cell, str):
        return cell
    if column.holds is Holds.INSTANT:
        return to_iso(cell)
    whole = {Holds.HOURS: HOUR_MS, Holds.DURATION: HOUR_MS, Holds.ENERGY: 1_000}.get(column.holds, MICROS)
    return (Decimal(cell) / whole).quantize(Decimal(1).scaleb(-_DIGITS))
