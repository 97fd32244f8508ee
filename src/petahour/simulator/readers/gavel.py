"""gavel: Gavel's synthetic traces and its table of measured steps/s (github.com/stanford-futuredata/gavel)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from petahour.model.errors import ValidationError
from petahour.model.time import SECOND_MS
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.lines import tab_fields
from petahour.simulator.readers.rows import Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import RowFault, count, length_ms, number, span_ms

ALONE = "null"  # the table's key for a job that shares its accelerators with no other
APART = "_unconsolidated"  # a type's figures for a gang scattered over more nodes than it needs


class _Pace(NamedTuple):
    """Acceptable types, the fastest first, and steps per second on each."""

    types: tuple[str, ...]
    steps_per_s: tuple[float, ...]
    speeds: tuple[float, ...]


def _bind(_header: Header, options: ReadOptions) -> Parse:
    paces = _Paces(_table(options.throughputs))

    def parse(fields: list[str]) -> Draft:
        kind, _, _, _, _, steps, workers, _, _, arrival = fields
        accelerators = count(workers, "scale_factor")
        todo = number(steps, "total_steps")
        pace = paces.of(kind.strip(), accelerators)
        lengths = [
            length_ms(todo / steps_per_s * SECOND_MS, "total_steps", steps) for steps_per_s in pace.steps_per_s
        ]
        return Draft(
            submit_ms=span_ms(arrival, "arrival"),
            duration_ms=lengths[0],
            accelerators=accelerators,
            name=kind.strip(),
            types=pace.types,
            speeds=pace.speeds,
            walltime_ms=lengths[-1] or None,
        )

    return parse


class _Paces:
    """What each kind of job was measured at, looked up once per kind and gang size."""

    def __init__(self, table: Mapping[str, Mapping[str, object]]) -> None:
        self._table = table
        self._known: dict[tuple[str, int], _Pace] = {}

    def of(self, kind: str, accelerators: int) -> _Pace:
        """Raises RowFault when no type was measured at this kind and size."""
        key = (kind, accelerators)
        if key not in self._known:
            self._known[key] = self._measured(kind, accelerators)
        return self._known[key]

    def _measured(self, kind: str, accelerators: int) -> _Pace:
        found: list[tuple[float, str]] = []
        for accelerator, rows in self._table.items():
            row = rows.get(repr((kind, accelerators)))
            steps_per_s = row.get(ALONE) if isinstance(row, dict) else None
            # Zero says that the job does not fit this type's memory.
            if isinstance(steps_per_s, int | float) and isfinite(steps_per_s) and steps_per_s > 0:
                found.append((float(steps_per_s), accelerator))
        if not found:
            raise RowFault("job_type", kind, f"was measured on no accelerator at scale_factor {accelerators}")
        found.sort(key=lambda item: (-item[0], item[1]))
        fastest = found[0][0]
        return _Pace(
            types=tuple(name for _, name in found),
            steps_per_s=tuple(steps_per_s for steps_per_s, _ in found),
            speeds=tuple(steps_per_s / fastest for steps_per_s, _ in found),
        )


def _table(path: Path | None) -> dict[str, dict[str, object]]:
    if path is None:
        raise ValidationError(
            field="throughputs",
            value=None,
            rule="gavel counts a job's length in steps, and the table of steps per second is not named",
            remedy="Name Gavel's JSON table of throughputs.",
        )
    try:
        table = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise _unusable(path, f"is not JSON: {error}") from None
    if not isinstance(table, dict) or not all(isinstance(rows, dict) for rows in table.values()):
        raise _unusable(path, "does not map a type of accelerator to its job types")
    kept = {name: rows for name, rows in table.items() if not name.endswith(APART)}
    if not kept:
        raise _unusable(path, "names no type of accelerator")
    return kept


def _unusable(path: Path, rule: str) -> ValidationError:
    return ValidationError(
        field=str(path),
        value=None,
        rule=rule,
        remedy="Name Gavel's table: type, (job type, workers), steps per second.",
    )


FORMAT = Format(
    summary="Gavel's trace: 10 columns apart by tabs, lengths in steps; needs its table of throughputs",
    bind=_bind,
    split=tab_fields,
    width=10,
)
