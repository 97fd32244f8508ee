"""Batch scripts of Slurm as jobs of Petahour: `#SBATCH` lines become the request, the rest its command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from petahour.client.requests import JobRequest
from petahour.model.errors import ValidationError

SUFFIXES = (".sbatch", ".slurm", ".sh")
_SHORT = {
    "J": "job-name", "N": "nodes", "n": "ntasks", "c": "cpus-per-task", "G": "gpus", "t": "time", "A": "account",
    "p": "partition", "q": "qos", "D": "chdir", "a": "array", "d": "dependency", "o": "output", "e": "error",
    "w": "nodelist", "x": "exclude", "C": "constraint", "i": "input", "L": "licenses", "M": "clusters",
}  # fmt: skip
_FLAGS = frozenset({"exclusive", "requeue", "no-requeue", "overcommit", "contiguous", "spread-job", "parsable"})
_LOGS, _NODES, _BOUND = "petahour logs has it", "Petahour picks nodes", "ranks are not bound"
_LOST, _MAIL = "lost work is always queued again", "Petahour sends no mail"
_NOT_USED = {
    "partition": "the fleet is one, and --type chooses", "output": _LOGS, "error": _LOGS, "open-mode": _LOGS,
    "mail-type": _MAIL, "mail-user": _MAIL, "nodelist": _NODES, "exclude": _NODES, "requeue": _LOST,
    "no-requeue": _LOST, "constraint": "--type says what is acceptable", "comment": "there is --name",
    "cpu-bind": _BOUND, "mem-bind": _BOUND, "hint": _BOUND, "gpu-bind": "each rank sees its node's devices",
    "distribution": "ranks are numbered node by node", "profile": "Petahour meters by itself",
    "parsable": "there is --json", "contiguous": "there is --switch", "input": "ranks have no input",
    "wait-all-nodes": "a gang starts together", "export-file": "there is --env",
}  # fmt: skip
_PROGRAMS = ("ranks", "srun")
_TIERS = ("reserved", "on-demand", "spot")


@dataclass(frozen=True, kw_only=True, slots=True)
class SbatchScript:
    """A batch script read. ``notes``: directives that have no meaning here, with the reason."""

    request: JobRequest
    notes: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Shape:
    """What the directives say of the gang, put together when all are read."""

    nodes: int = 1
    tasks: int | None = None
    tasks_per_node: int | None = None
    cpus_per_task: int = 1
    gpus: int | None = None
    gpus_per_node: int | None = None
    gpus_per_task: int | None = None
    type: str | None = None
    memory_per_node: str | None = None
    memory_per_gpu: str | None = None


@dataclass(kw_only=True, slots=True)
class _Reader:
    path: Path
    shape: _Shape = field(default_factory=_Shape)
    said: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    line: int = 0

    def take(self, name: str, value: str) -> None:
        """One directive. Raises ValidationError on one that is not known or not understood."""
        known = _TAKEN.get(name)
        if known is not None:
            known(self, value)
        elif name in _NOT_USED:
            self.notes.append(f"line {self.line}: --{name} is not used: {_NOT_USED[name]}")
        else:
            raise self.refuse(name, value, "a directive that Petahour does not know", "Take the line out.")

    def refuse(self, name: str, value: object, rule: str, remedy: str) -> ValidationError:
        return ValidationError(
            field=f"{self.path}, line {self.line}: --{name}", value=value, rule=rule, remedy=remedy
        )

    def whole(self, name: str, value: str) -> int:
        if re.fullmatch(r"[1-9]\d{0,6}", value) is None:
            raise self.refuse(name, value, "a whole number from 1", "Ranges are not offered: say how many.")
        return int(value)

    def accelerators(self, name: str, value: str) -> int:
        """``8``, ``a100:8``, ``gpu:8`` or ``gpu:a100:8``; the type is kept."""
        found = re.fullmatch(
            r"(?:gres/)?(?:(?:gpu|npu|mlu|gcu)(?=[:=]|$)[:=]?)?(?:([A-Za-z][\w.+-]*):?)?(\d+)?", value
        )
        if found is None or "," in value:
            raise self.refuse(name, value, "one kind of accelerator, such as gpu:a100:8", "One gang has one type.")
        if found[1]:
            self.shape.type = found[1]
        return int(found[2] or 1)


def load_sbatch(path: Path, text: str) -> SbatchScript:
    """The request of a batch script, without types where it asks for accelerators of no type.

    Raises ValidationError naming the line of what is not known.
    """
    if not text.startswith("#!"):
        raise ValidationError(
            field=f"{path}, line 1",
            value=None,
            rule="a batch script begins with #!",
            remedy="Begin it with #!/bin/bash.",
        )
    reader = _Reader(path=path)
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#SBATCH"):
            reader.line = number
            _directives(reader, stripped.removeprefix("#SBATCH"))
        elif stripped and not stripped.startswith("#"):
            break  # As sbatch does: what follows the first command is the script's own.
    return SbatchScript(request=_request(reader, text), notes=tuple(reader.notes))


def _directives(reader: _Reader, text: str) -> None:
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise reader.refuse("", text.strip(), f"words that end ({error})", "Close the quote.") from None
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
        elif len(word) > 1 and word.startswith("-"):
            name, value = _SHORT.get(word[1], word[1]), word[2:].removeprefix("=")
            equals = value
        else:
            raise reader.refuse("", word, "an option, such as --nodes=2", "Begin it with a dash.")
        if not equals and name not in _FLAGS and words and not words[0].startswith("-"):
            value = words.pop(0)
        reader.take(name, value)


def _request(reader: _Reader, text: str) -> JobRequest:
    shape = reader.shape
    tasks = shape.tasks_per_node or (-(-shape.tasks // shape.nodes) if shape.tasks else None)
    per_node = shape.gpus_per_node
    if shape.gpus is not None:
        if shape.gpus % shape.nodes:
            raise reader.refuse("gpus", shape.gpus, f"a multiple of the {shape.nodes} nodes", "Use --gpus-per-node.")
        per_node = shape.gpus // shape.nodes
    elif shape.gpus_per_task is not None:
        per_node = shape.gpus_per_task * (tasks or 1)
    tasks = tasks or 1
    types = (shape.type,) if shape.type else ()
    if per_node is None:
        per_node, types = tasks * shape.cpus_per_task, ("cpu",)
    if tasks > per_node:
        raise reader.refuse(
            "ntasks-per-node",
            tasks,
            f"at most a task for each of the {per_node} accelerators",
            "Ask for more of them.",
        )
    if shape.memory_per_node is not None:
        reader.said["memory"] = _memory(reader, shape.memory_per_node, per_node)
    elif shape.memory_per_gpu is not None:
        reader.said["memory"] = _memory(reader, shape.memory_per_gpu, 1)
    said = {**reader.said, "nodes": shape.nodes, "accelerators_per_node": per_node, "types": types}
    ranks, srun = (files("petahour.client").joinpath("steps", f"{name}.sh").read_text("utf-8") for name in _PROGRAMS)
    command = ("bash", "-c", ranks, "sbatch", str(tasks), srun, text)
    return JobRequest(command=command, **said)  # type: ignore[arg-type]  # Each value was made for its field.


def _memory(reader: _Reader, text: str, shares: int) -> int:
    """Bytes for each rank of Slurm's ``64G``, a number alone being megabytes."""
    found = re.fullmatch(r"(\d+)([KMGT]?)B?", text.strip(), re.IGNORECASE)
    if found is None:
        raise reader.refuse("mem", text, "a size such as 64G", "Write digits and K, M, G or T.")
    factor = {"K": 2**10, "": 2**20, "M": 2**20, "G": 2**30, "T": 2**40}[found[2].upper()]
    return max(1, int(found[1]) * factor // shares)


def _time(reader: _Reader, value: str) -> None:
    """``90``, ``1:30:00``, ``2-12``, ``2-12:30``: minutes, or with days before the dash hours."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", value)
    if found is None:
        raise reader.refuse("time", value, "a time such as 1:30:00 or 2-12:00:00", "Write it as sbatch takes it.")
    days, parts = int(found[1] or 0), [int(part) for part in found.groups()[1:] if part is not None]
    if found[1] is not None:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, [*parts, 0][:2]
    reader.said["walltime"] = ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _signal(reader: _Reader, value: str) -> None:
    """``B:USR1@120``: the signal, and how long before the end it comes, which is the grace here."""
    found = re.fullmatch(r"(?:[RB]{1,2}:)?(?:SIG)?([A-Z0-9]+)(?:@(\d+))?", value, re.IGNORECASE)
    if found is None or found[1].isdigit():
        raise reader.refuse("signal", value, "a signal by name, such as USR1@120", "Name it.")
    reader.said["preemption_signal"] = f"SIG{found[1].upper()}"
    if found[2]:
        reader.said["grace"] = int(found[2])


def _dependency(reader: _Reader, value: str) -> None:
    after: dict[str, list[str]] = {"afterok": [], "afterany": []}
    for part in value.split(","):
        kind, *jobs = part.split(":")
        if kind not in after or not jobs:
            raise reader.refuse("dependency", part, "afterok or afterany with Petahour's job ids", "Use those.")
        after[kind] += jobs
    reader.said |= {"after_ok": tuple(after["afterok"]), "after_any": tuple(after["afterany"])}


def _export(reader: _Reader, value: str) -> None:
    pairs = [part for part in value.split(",") if part.upper() not in ("ALL", "NONE", "NIL", "")]
    if any("=" not in part for part in pairs):
        reader.notes.append(f"line {reader.line}: --export of names without values is not used: say NAME=VALUE")
    reader.said["environment"] = dict(part.split("=", 1) for part in pairs if "=" in part)


def _qos(reader: _Reader, value: str) -> None:
    if value in _TIERS:
        reader.said["tier"] = value
    else:
        reader.notes.append(f"line {reader.line}: --qos={value} is not used: tiers are {', '.join(_TIERS)}")


def _set(name: str) -> Callable[[_Reader, str], None]:
    return lambda reader, value: reader.said.update({name: value})


def _count(name: str) -> Callable[[_Reader, str], None]:
    return lambda reader, value: setattr(reader.shape, name.replace("-", "_"), reader.whole(name, value))


def _chips(name: str) -> Callable[[_Reader, str], None]:
    return lambda reader, value: setattr(reader.shape, name.replace("-", "_"), reader.accelerators(name, value))


_TAKEN: dict[str, Callable[[_Reader, str], None]] = {
    "job-name": _set("name"),
    "account": _set("project"),
    "chdir": _set("workdir"),
    "array": _set("array"),
    "time": _time,
    "signal": _signal,
    "dependency": _dependency,
    "export": _export,
    "qos": _qos,
    "exclusive": lambda reader, value: reader.said.update(exclusive=True),
    "nodes": _count("nodes"),
    "ntasks": lambda reader, value: setattr(reader.shape, "tasks", reader.whole("ntasks", value)),
    "ntasks-per-node": lambda reader, value: setattr(reader.shape, "tasks_per_node", reader.whole("ntasks", value)),
    "cpus-per-task": _count("cpus-per-task"),
    "gpus": _chips("gpus"),
    "gpus-per-node": _chips("gpus-per-node"),
    "gpus-per-task": _chips("gpus-per-task"),
    "gres": lambda reader, value: setattr(reader.shape, "gpus_per_node", reader.accelerators("gres", value)),
    "mem": lambda reader, value: setattr(reader.shape, "memory_per_node", value),
    "mem-per-gpu": lambda reader, value: setattr(reader.shape, "memory_per_gpu", value),
}
