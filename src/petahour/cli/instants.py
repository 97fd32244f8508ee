"""Instants on the command line: dates with their zone, or how long from now."""

from __future__ import annotations

import time

from petahour.model.time import parse_duration, to_iso


def absolute(text: str, field: str) -> str:
    """``+90m`` as a date, 90 minutes from now, and ``now``; a date as it is, which the control plane reads."""
    now_ms = time.time_ns() // 1_000_000
    if text == "now":
        return to_iso(now_ms)
    if text.startswith("+"):
        return to_iso(now_ms + parse_duration(text[1:], field=field))
    return text
