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
    sacct,
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
    "sacct": sacct.FORMAT,
}

# What can be read, each in one line: files of rows, and beside them the log of a control plane.
FORMATS: dict[str, str] = {name: form.summary for name, form in _FORMATS.items()}
RECORDING = "recording"
RECORDINGS: dict[str, str] = {RECORDING: "a control plane's own log, as petahour record writes it"}


def read_trace(path: Path, format: str, options: ReadOptions | None = None) -> Trace:  # noqa: A002
    """The trace in a file: jobs by submit time, and an exclusion for every line that is no job.

    Raises ValidationError when the format is unknown, when the file cannot be read, is empty or lacks a column, when
    no line of it is a job, and with ``options.strict`` at the first line that is no job or comes out of order.
    """
    if format == RECORDING:
        # A recording is lines of its own, and its module reads lines as the formats here do.
        from petahour.simulator.recording.history import read_history

        return read_history(path, options or ReadOptions())
    form = _FORMATS.get(format)
    if form is None:
        raise ValidationError(
            field="format",
            value=format,
            rule=f"is one of {', '.join(FORMATS)}, {RECORDING}",
            remedy="Name the file's format.",
        )
    return read_rows(path, form, options or ReadOptions())
