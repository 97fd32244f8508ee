"""One finding of the auditor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 5
KEPT = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A promise, whether it was kept, and what breaks it: the first few rows in words, and as many as are kept."""

    name: str
    ok: bool
    detail: str
    count: int = 0
    faults: tuple[str, ...] = ()


def checked(name: str, faults: Iterable[str]) -> Check:
    """The check of a promise from everything that contradicts it."""
    findings = Findings((name,))
    for fault in faults:
        findings.add(name, fault)
    return findings.checks()[0]


class Findings:
    """What one pass over many rows finds against several promises at once."""

    def __init__(self, names: Iterable[str]) -> None:
        self._kept: dict[str, list[str]] = {name: [] for name in names}
        self._counts = dict.fromkeys(self._kept, 0)

    def add(self, name: str, fault: str) -> None:
        """A row that breaks the promise of this name."""
        self._counts[name] += 1
        if self._counts[name] <= KEPT:
            self._kept[name].append(fault)

    def checks(self) -> tuple[Check, ...]:
        """Every promise with what was found against it, in the order of their names."""
        return tuple(self._check(name) for name in self._kept)

    def _check(self, name: str) -> Check:
        faults, count = self._kept[name], self._counts[name]
        more = count - len(faults[:SHOWN])
        detail = "; ".join(faults[:SHOWN]) + (f"; and {more} more" if more else "")
        return Check(name=name, ok=not count, detail=detail, count=count, faults=tuple(faults))
