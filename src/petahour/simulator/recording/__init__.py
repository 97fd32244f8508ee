"""Recordings: a control plane's event log as a file, made again pass by pass, or read as a trace."""

from __future__ import annotations

from petahour.simulator.recording.file import Recording, read_recording, write_recording
from petahour.simulator.recording.history import trace_of
from petahour.simulator.recording.retrace import Difference, Retraced, retrace

__all__ = ["Difference", "Recording", "Retraced", "read_recording", "retrace", "trace_of", "write_recording"]
