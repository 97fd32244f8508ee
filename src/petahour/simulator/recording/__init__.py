"""Recordings: a control plane's event log as a file, made again pass by pass, or read as a trace."""

from __future__ import annotations

from petahour.simulator.recording.file import Recording, read_recording, write_recording
from petahour.simulator.recording.history import Floor, as_it_was, trace_of
from petahour.simulator.recording.retrace import Difference, Retraced, retrace

__all__ = [
    "Difference",
    "Floor",
    "Recording",
    "Retraced",
    "as_it_was",
    "read_recording",
    "retrace",
    "trace_of",
    "write_recording",
]
