"""One finding of the auditor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A promise, whether it was kept, and the first few rows that break it."""

    name: str
    ok: bool
    detail: str


def checked(name: str, faults: Iterable[str]) -> Check:
    """The check of a promise from everything that contradicts it."""
    found = iter(faults)
    shown = list(islice(found, SHOWN))
    more = sum(1 for _ in found)
    detail = "; ".join(shown) + (f"; and {more} more" if more else "")
    return Check(name=name, ok=not shown, detail=detail)
