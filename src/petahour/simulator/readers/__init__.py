"""Readers: trace files of many origins, each line a job or a counted exclusion."""

from __future__ import annotations

from petahour.simulator.readers.formats import FORMATS, RECORDINGS, read_trace
from petahour.simulator.readers.petahour_csv import write_trace
from petahour.simulator.readers.rows import TENANT, ReadOptions, out_of_order

__all__ = ["FORMATS", "RECORDINGS", "TENANT", "ReadOptions", "out_of_order", "read_trace", "write_trace"]
