"""What Slurm says of jobs and nodes, from the JSON of its commands or of slurmrestd, which is the same.

Versions differ in shape: a state is a word or a list of words, a number a number or ``{"set", "number"}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from petahour.engines.slurm.hostlist import expand
from petahour.model.errors import UnavailableError

LIVE_STATES = frozenset({"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STAGE_OUT", "SIGNALING"})
NO_TIME = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmJob:
    """One job. Times are whole seconds on slurmctld's clock, 0 when not known."""

    id: int
    name: str
    comment: str
    state: str
    reason: str
    nodes: str
    submit_s: int
    start_s: int
    end_s: int
    restarts: int

    @property
    def live(self) -> bool:
        """It may still run something."""
        return self.state in LIVE_STATES

    @property
    def pending(self) -> bool:
        return self.state == "PENDING"


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmNode:
    """One node. ``flags``: such as DRAIN or NOT_RESPONDING. ``gres`` as configured, ``memory_mb`` of the host."""

    name: str
    address: str
    state: str
    flags: frozenset[str]
    reason: str
    gres: str
    cpus: int
    memory_mb: int
    partitions: tuple[str, ...]


def jobs_of(document: object) -> tuple[SlurmJob, ...]:
    """Every job of an answer. Raises UnavailableError on an answer that is none."""
    return tuple(_job(record) for record in _records(document, "jobs"))


def nodes_of(document: object) -> tuple[SlurmNode, ...]:
    """Every node of an answer. Raises UnavailableError on an answer that is none."""
    return tuple(_node(record) for record in _records(document, "nodes"))


def leaf_switches_of(text: str) -> dict[str, str]:
    """The switch right above each node, of what ``scontrol show topology`` writes. A block of nodes is one too."""
    leaves: dict[str, str] = {}
    for line in text.splitlines():
        said = dict(word.split("=", 1) for word in line.split() if "=" in word)
        name = said.get("SwitchName") or said.get("BlockName")
        if name and said.get("Level", "0") == "0":
            leaves |= dict.fromkeys(expand(said.get("Nodes", "")), name)
    return leaves


def errors_of(document: object) -> str:
    """The errors of an answer in words; empty when there are none."""
    found = document.get("errors") if isinstance(document, Mapping) else None
    texts = []
    for error in found if isinstance(found, list) else []:
        if isinstance(error, Mapping):
            said = [_text(error, "description"), _text(error, "error")]
            texts.append(": ".join(text for text in said if text) or str(error.get("error_number")))
    return "; ".join(texts)


def _job(record: Mapping[str, object]) -> SlurmJob:
    states = _words(record.get("job_state"))
    # A state with flags, such as RUNNING with COMPLETING, is still holding its nodes.
    state = "COMPLETING" if "COMPLETING" in states else states[0] if states else "UNKNOWN"
    return SlurmJob(
        id=_number(record.get("job_id")),
        name=_text(record, "name"),
        comment=_text(record, "comment"),
        state=state,
        reason=_text(record, "state_reason"),
        nodes=_text(record, "nodes"),
        submit_s=_number(record.get("submit_time")),
        start_s=_number(record.get("start_time")),
        end_s=_number(record.get("end_time")),
        restarts=_number(record.get("restart_cnt")),
    )


def _node(record: Mapping[str, object]) -> SlurmNode:
    states = _words(record.get("state"))
    partitions = record.get("partitions")
    return SlurmNode(
        name=_text(record, "name"),
        address=_text(record, "address") or _text(record, "name"),
        state=states[0] if states else "UNKNOWN",
        flags=frozenset([*states[1:], *_words(record.get("state_flags"))]),
        reason=_text(record, "reason"),
        gres=_text(record, "gres"),
        cpus=_number(record.get("cpus")),
        memory_mb=_number(record.get("real_memory")),
        partitions=tuple(str(one) for one in partitions) if isinstance(partitions, Sequence) else (),
    )


def _records(document: object, name: str) -> Iterator[Mapping[str, object]]:
    found = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        _no_answer(errors_of(document) or f"an answer without {name}")
    for record in found:
        if isinstance(record, Mapping):
            yield record


def _no_answer(why: str) -> NoReturn:
    raise UnavailableError(
        field="slurm", value=None, rule=f"Slurm answers ({why})", remedy="See that slurmctld runs; it is tried again."
    )


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [word.upper() for word in re.split(r"[\s,+]+", value) if word]
    return [str(one).upper() for one in value] if isinstance(value, Sequence) else []


def _number(value: object) -> int:
    if isinstance(value, Mapping):
        value = value.get("number") if value.get("set", True) else 0
    return int(value) if isinstance(value, int | float) else 0


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if isinstance(value, Mapping):  # Later versions give the several comments of a job as one object.
        value = value.get("job")
    return value if isinstance(value, str) else ""
