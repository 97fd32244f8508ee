"""The file of a recording: JSON lines, a head, one event a line, and a foot that tells whether all of it is there."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from petahour.model.errors import ValidationError
from petahour.model.events import Event, EventKind
from petahour.simulator.readers.lines import lines

FORMAT = 1
_TEXTS = ("tenant", "job", "allocation", "node")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A control plane's log, whole, from its first event on. ``made_by`` is the Petahour that recorded it."""

    events: Sequence[Event]
    made_by: str = ""
    made_ms: int = 0


def write_recording(events: Iterable[Event], path: Path, *, made_by: str, made_ms: int) -> int:
    """Write a log as it comes; how many events it has. Gzipped when the name ends in ``.gz``.

    The file appears whole or not at all. Raises ValidationError when it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    try:
        try:
            with beside.open("wb") as plain:
                packed = gzip.GzipFile(filename="", fileobj=plain, mode="wb", mtime=0) if _is_gzip(path) else None
                out = packed or plain
                head = {"petahour_recording": FORMAT, "made_by": made_by, "made_ms": made_ms}
                out.write(orjson.dumps(head) + b"\n")
                for event in events:
                    out.write(orjson.dumps(asdict(event)) + b"\n")
                    count += 1
                out.write(orjson.dumps({"events": count}) + b"\n")
                if packed is not None:
                    packed.close()
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ValidationError(
            field=str(path),
            value=None,
            rule=f"cannot be written: {error.strerror or error}",
            remedy="Name a file in a directory that exists and where you may write.",
        ) from None
    return count


def read_recording(path: Path) -> Recording:
    """The recording in a file. Raises ValidationError that names the line where it is none."""
    events: list[Event] = []
    head: dict[str, Any] | None = None
    foot = False
    for number, text in lines(path):
        raw = _object(path, number, text)
        if head is None:
            if raw.get("petahour_recording") != FORMAT:
                raise _fault(path, number, "is no head of a recording", 'Make one with "petahour record".')
            head = raw
        elif foot:
            raise _fault(path, number, "comes after the foot", "Join no recordings; replay each by itself.")
        elif "events" in raw and "kind" not in raw:
            foot = True
            if raw["events"] != len(events):
                raise _fault(path, number, f"tells of {raw['events']} events, here are {len(events)}", _AGAIN)
        else:
            event = _event(path, number, raw)
            if events and event.seq <= events[-1].seq:
                raise _fault(path, number, f"has the number {event.seq}, not after {events[-1].seq}", _AGAIN)
            events.append(event)
    if head is None or not foot:
        raise ValidationError(field=str(path), value=None, rule="ends before its foot", remedy=_AGAIN)
    return Recording(events=events, made_by=str(head.get("made_by", "")), made_ms=int(head.get("made_ms", 0)))


_AGAIN = 'Make it again with "petahour record"; half a log is never replayed.'


def _is_gzip(path: Path) -> bool:
    return path.suffix == ".gz"


def _object(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        raw = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise _fault(path, number, f"is no JSON: {error}", _AGAIN) from None
    if not isinstance(raw, dict):
        raise _fault(path, number, "is no JSON object", _AGAIN)
    return raw


def _event(path: Path, number: int, raw: dict[str, Any]) -> Event:
    kinds = {kind.value for kind in EventKind}
    if raw.get("kind") not in kinds:
        raise _fault(path, number, f"has the kind {raw.get('kind')!r}, which is none", "Use the Petahour it is of.")
    for name in ("seq", "at_ms"):
        if not isinstance(raw.get(name), int) or isinstance(raw[name], bool):
            raise _fault(path, number, f"has {name} {raw.get(name)!r}, which is no whole number", _AGAIN)
    for name in _TEXTS:
        if not isinstance(raw.get(name), str | None):
            raise _fault(path, number, f"has {name} {raw[name]!r}, which is no text", _AGAIN)
    if not isinstance(raw.get("data"), dict):
        raise _fault(path, number, "has no data", _AGAIN)
    texts = {name: raw.get(name) for name in _TEXTS}
    return Event(kind=EventKind(raw["kind"]), at_ms=raw["at_ms"], seq=raw["seq"], data=raw["data"], **texts)


def _fault(path: Path, number: int, rule: str, remedy: str) -> ValidationError:
    return ValidationError(field=f"{path}, line {number}", value=None, rule=rule, remedy=remedy)
