"""Arrays: one request, one job for each index."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from petahour.control.settings import Settings
from petahour.model.errors import TooLargeError, ValidationError
from petahour.model.jobs import ArrayTask, JobSpec

MAX_INDEX = 1_000_000
_FORM = re.compile(r"(\d{1,7}(?:-\d{1,7})?(?:,\d{1,7}(?:-\d{1,7})?)*)(?:%(\d{1,7}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexes:
    """Which jobs an array has, in order, and how many of them may be under way at once."""

    indexes: tuple[int, ...]
    at_once: int


def parse_array(text: str, settings: Settings) -> Indexes:
    """``"0-15%4"`` or ``"1,3,5-9"``. Raises ValidationError, or TooLargeError beyond the limit."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise _refused(text, "indexes and ranges such as 0-15 or 1,3,5-9, with %N for at most N at once")
    indexes: set[int] = set()
    for part in found[1].split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if low > high or high > MAX_INDEX:
            raise _refused(text, f"ranges from low to high, at most {MAX_INDEX:,}")
        if len(indexes) + high - low + 1 > settings.array_size:
            raise TooLargeError(
                field="array",
                value=text,
                rule=f"at most {settings.array_size:,} jobs",
                remedy="Split it into several arrays.",
            )
        indexes.update(range(low, high + 1))
    at_once = int(found[2]) if found[2] else len(indexes)
    if at_once < 1:
        raise _refused(text, "at least one at once")
    return Indexes(indexes=tuple(sorted(indexes)), at_once=min(at_once, len(indexes)))


def task_of(spec: JobSpec, array: str, indexes: Indexes, place: int) -> JobSpec:
    """The job at this place of the array; its index is in its environment."""
    index = indexes.indexes[place]
    more = {
        "PETAHOUR_ARRAY_ID": array,
        "PETAHOUR_ARRAY_INDEX": str(index),
        "PETAHOUR_ARRAY_SIZE": str(len(indexes.indexes)),
    }
    return replace(
        spec,
        array=ArrayTask(array=array, index=index, size=len(indexes.indexes), at_once=indexes.at_once),
        environment=tuple(sorted({**dict(spec.environment), **more}.items())),
    )


def _refused(text: str, rule: str) -> ValidationError:
    return ValidationError(field="array", value=text, rule=rule, remedy='Write it like array = "0-15%4".')
