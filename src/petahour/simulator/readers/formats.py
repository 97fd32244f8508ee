"""Formats: every kind of trace file by its name."""

from __future__ import annotations

from pathlib import Path

from petahour.model.errors import ValidationError
from petahour.simulator.readers import (
    acme,
    elasticflow,
    gavel,
    helios,
    muri,
    openb,
    petahour_csv,
    philly,
    sia,
    swf,
)
from petahour.simulator.readers.rows import Format, ReadOptions, read_rows
from petahour.simulator.trace import Trace

_FORMATS: dict[str, Format] = {
    "petahour": petahour_csv.FORMAT,
    "philly": philly.FORMAT,
    "helios": helios.FORMAT,
    "acme": acme.FORMAT,
    "openb": openb.FORMAT,
    "gavel": gavel.FORMAT,
    "sia": sia.FORMAT,
    "muri": muri.FORMAT,
    "elasticflow": elasticflow.FORMAT,
    "swf": swf.FORMAT,
}

# What can be read, each in one line.
FORMATS: dict[str, str] = {name: form.summary for name, form in _FORMATS.items()}


def read_trace(path: Path, format: str, options: ReadOptions | None = None) -> Trace:  # noqa: A002
    """The trace in a file: jobs by submit time, and an exclusion for every line that is no job.

    Raises ValidationError when the format is unknown, when the file cannot be read, is empty or lacks a column, when
    no line of it is a job, and with ``options.strict`` at the first line that is no job or comes out of order.
    """
    form = _FORMATS.get(format)
    if form is None:
        raise ValidationError(
            field="format", value=format, rule=f"is one of {', '.join(FORMATS)}", remedy="Name the file's format."
        )
    return read_rows(path, form, options or ReadOptions())
