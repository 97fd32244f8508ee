"""Bands: usage cut where a volume band begins, so that each piece has one price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from petahour.billing.book import Band
from petahour.model.usage import UsageRecord


def cut_at_bands(record: UsageRecord, bands: Sequence[Band], *, used_ams: int) -> Iterator[tuple[UsageRecord, int]]:
    """The record in pieces of one band each, with what was used in the month before each piece.

    ``used_ams`` is what was used before the record. A cut falls on the first millisecond at whose beginning the
    band's volume is reached; the pieces are contiguous and sum to the record. What is waived is no volume.
    """
    start_ms, used = record.start_ms, used_ams
    for band in bands if record.billed_ams else ():
        if band.from_ams <= used:
            continue
        cut_ms = start_ms - (used - band.from_ams) // record.accelerators  # rounded up, as the difference is negative
        if cut_ms >= record.end_ms:
            break
        yield _piece(record, start_ms, cut_ms), used
        used += (cut_ms - start_ms) * record.accelerators
        start_ms = cut_ms
    yield (record if start_ms == record.start_ms else _piece(record, start_ms, record.end_ms)), used


def _piece(record: UsageRecord, start_ms: int, end_ms: int) -> UsageRecord:
    return replace(
        record,
        id=f"use-{record.allocation}-{start_ms}",
        start_ms=start_ms,
        end_ms=end_ms,
        billed_ams=(end_ms - start_ms) * record.accelerators,
        waived_ams=0,
    )
