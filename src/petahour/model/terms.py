"""Terms: a job's specification as JSON values, in its row and in the event that tells of its submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from petahour.model.jobs import After, ArrayTask, JobSpec, Promise, Tier
from petahour.model.resources import Gang, Switch

PRIVATE = frozenset({"command", "workdir", "environment"})  # the tenant's own affair: not in the log


def terms_of(spec: JobSpec) -> dict[str, object]:
    """What scheduling and auditing need to know of a job, without what it runs."""
    return {name: _plain(value) for name, value in asdict(spec).items() if name not in PRIVATE}


def spec_of(raw: Mapping[str, object]) -> JobSpec:
    """The specification again; what is private is empty where it was left out."""
    known: dict[str, Any] = {"command": (), "workdir": "", "environment": (), **raw}
    gang = known["gang"]
    known["gang"] = Gang(**{**gang, "switch": Switch(gang.get("switch", Switch.PREFERRED))})
    known["after"] = tuple(After(**item) for item in known.get("after", ()))
    known["array"] = ArrayTask(**known["array"]) if known.get("array") else None
    known["promise"] = Promise(**known["promise"]) if known.get("promise") else None
    known["tier"] = Tier(known["tier"])
    known["command"] = tuple(known["command"])
    known["types"] = tuple(known["types"])
    known["environment"] = tuple((name, value) for name, value in known["environment"])
    return JobSpec(**known)


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
