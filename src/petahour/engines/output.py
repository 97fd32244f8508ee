"""Output: a rank's log file read in pieces, for every engine that keeps one file a rank."""

from __future__ import annotations

from pathlib import Path

from petahour.engines.protocol import LogChunk


def read_output(path: Path, *, offset: int, limit_bytes: int, complete: bool) -> LogChunk:
    """Bytes from ``offset``, at most ``limit_bytes``; no UTF-8 character is cut while more may follow.

    ``complete``: nobody writes any more. A file that is not there yet is empty.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(limit_bytes)
    except FileNotFoundError:
        return LogChunk(text="", next_offset=offset, complete=complete)
    whole = data if complete and len(data) < limit_bytes else _whole_characters(data)
    return LogChunk(
        text=whole.decode(errors="replace"),
        next_offset=offset + len(whole),
        complete=complete and len(data) < limit_bytes,
    )


def _whole_characters(data: bytes) -> bytes:
    """The data without a UTF-8 character that is cut off at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data if back >= length else data[:-back]
        if byte < 0x80:
            break
    return data
