"""From a request to a JobSpec: every rule a job must keep before it may be stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from petahour.billing.fields import read_price
from petahour.catalog.catalog import Catalog
from petahour.control.request import JobRequest
from petahour.control.settings import Settings
from petahour.model.errors import TooLargeError, ValidationError
from petahour.model.jobs import MAX_PRIORITY, After, JobSpec, Tier
from petahour.model.resources import Gang, Switch
from petahour.model.tenants import Project
from petahour.model.time import format_duration, parse_duration

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
MAX_TYPES = 32
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_BYTES = re.compile(r"(\d+)\s*(|[KMGT]i?B?|B)")
_SCALE = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def specify(request: JobRequest, project: Project, catalog: Catalog, settings: Settings, *, currency: str) -> JobSpec:
    """The validated job. ``currency`` is its tenant's. Raises ValidationError or TooLargeError naming field, rule and
    remedy.
    """
    root = Path(project.directory)
    gang = Gang(
        nodes=request.nodes,
        accelerators_per_node=request.accelerators_per_node,
        switch=_switch(request.switch),
        exclusive=request.exclusive,
    )
    command = _command(request.command, settings)
    tier = _tier(request.tier)
    return JobSpec(
        name=_name(request.name or Path(command[0]).name or "job"),
        command=command,
        workdir=_workdir(root, request.workdir),
        environment=_environment(request.environment, settings),
        gang=gang,
        types=_types(request.types, catalog),
        tier=tier,
        priority=_whole("priority", request.priority, -MAX_PRIORITY, MAX_PRIORITY),
        walltime_ms=_walltime(request.walltime, settings),
        retries=_whole("retries", request.retries, 0, settings.retries),
        checkpoint_dir=None
        if request.checkpoint_dir is None
        else str(_inside("checkpoint_dir", root, request.checkpoint_dir)),
        preemption_signal=_signal(request.preemption_signal),
        grace_ms=_grace(request.grace, settings),
        memory_bytes=None if request.memory is None else _memory(request.memory, settings),
        after=_after(request, settings),
        limit_micros=None if request.max_price is None else _limit(request.max_price, tier, currency),
        meter_power=request.meter_power,
    )


def _command(command: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    if not command or not command[0]:
        raise ValidationError(
            field="command",
            value=list(command),
            rule="a program and its arguments",
            remedy='Write it like command = ["python", "train.py"].',
        )
    if any("\0" in part for part in command):
        raise ValidationError(
            field="command", value=None, rule="no NUL character", remedy="Remove it from the arguments."
        )
    size = sum(len(part.encode()) for part in command)
    if len(command) > settings.command_arguments or size > settings.command_bytes:
        raise TooLargeError(
            field="command",
            value=f"{len(command)} arguments, {size} bytes",
            rule=f"at most {settings.command_arguments} arguments and {settings.command_bytes} bytes",
            remedy="Put long inputs into a file in the project directory.",
        )
    return command


def _environment(environment: Mapping[str, str], settings: Settings) -> tuple[tuple[str, str], ...]:
    size = sum(len(name.encode()) + len(value.encode()) + 2 for name, value in environment.items())
    if len(environment) > settings.environment_variables or size > settings.environment_bytes:
        raise TooLargeError(
            field="environment",
            value=f"{len(environment)} variables, {size} bytes",
            rule=f"at most {settings.environment_variables} variables and {settings.environment_bytes} bytes",
            remedy="Put large values into a file in the project directory.",
        )
    for name, value in environment.items():
        if _VARIABLE.fullmatch(name) is None or "\0" in value:
            raise ValidationError(
                field=f"environment.{name[:40]}",
                value=name,
                rule="names of letters, digits and _, values without NUL",
                remedy="Rename the variable.",
            )
        if name.startswith("PETAHOUR_"):
            raise ValidationError(
                field=f"environment.{name[:40]}",
                value=name,
                rule="names starting with PETAHOUR_ are set by Petahour",
                remedy="Rename the variable.",
            )
    return tuple(sorted(environment.items()))


def _inside(field: str, root: Path, path: str) -> Path:
    if "\0" in path:
        raise ValidationError(field=field, value=path, rule="no NUL character", remedy="Rename the directory.")
    base = root.resolve()
    try:
        resolved = (base / path).resolve()
    except (OSError, RuntimeError):
        raise ValidationError(
            field=field, value=path, rule="a path without links that lead in a circle", remedy="Mend the links."
        ) from None
    if resolved != base and base not in resolved.parents:
        raise ValidationError(
            field=field,
            value=path,
            rule=f"a path inside the project's directory {base}",
            remedy='Give a path relative to it, without ".." or links that lead out of it.',
        )
    return resolved


def _workdir(root: Path, path: str) -> str:
    resolved = _inside("workdir", root, path)
    if not is_directory(resolved):
        raise ValidationError(
            field="workdir",
            value=path,
            rule=f"an existing directory inside {root}",
            remedy="Create it, or leave workdir out to use the project's directory.",
        )
    return str(resolved)


def is_directory(path: Path) -> bool:
    """Whether it is one; a path that no file system could hold is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _types(types: tuple[str, ...], catalog: Catalog) -> tuple[str, ...]:
    if not 1 <= len(types) <= MAX_TYPES or len(set(types)) != len(types):
        raise ValidationError(
            field="types",
            value=list(types),
            rule=f"1 to {MAX_TYPES} different accelerator types, the preferred first",
            remedy='Write it like types = ["a100-80g-sxm", "ascend-910b3"].',
        )
    return tuple(catalog.get(name).name for name in types)


def _tier(tier: str) -> Tier:
    try:
        return Tier(tier)
    except ValueError:
        known = ", ".join(Tier)
        raise ValidationError(field="tier", value=tier, rule="a known tier", remedy=f"Use one of {known}.") from None


def _limit(price: str, tier: Tier, currency: str) -> int:
    if tier is not Tier.SPOT:
        raise ValidationError(
            field="max_price",
            value=price,
            rule=f"a limit of spot work; {tier} work pays the price of its book",
            remedy="Leave max_price out, or submit it as spot.",
        )
    return read_price(price, currency, "max_price")


def _switch(name: str) -> Switch:
    try:
        return Switch(name)
    except ValueError:
        known = " or ".join(Switch)
        raise ValidationError(
            field="gang.switch", value=name, rule=known, remedy='Write switch = "required" for one leaf switch.'
        ) from None


def _after(request: JobRequest, settings: Settings) -> tuple[After, ...]:
    """Each job once; who must have succeeded need not be named among those that must be over."""
    named = dict.fromkeys(request.after_any, False) | dict.fromkeys(request.after_ok, True)
    if len(named) > settings.dependencies:
        raise TooLargeError(
            field="after_ok",
            value=len(named),
            rule=f"at most {settings.dependencies} jobs to wait for",
            remedy="Let one job wait for them and this one for that.",
        )
    return tuple(After(job=job, ok=ok) for job, ok in sorted(named.items()))


def _walltime(walltime: str | int | None, settings: Settings) -> int | None:
    if walltime is None:
        return None
    duration_ms = _duration("walltime", walltime)
    if not 1_000 <= duration_ms <= settings.walltime_ms:
        raise ValidationError(
            field="walltime",
            value=walltime,
            rule=f"from 1s to {format_duration(settings.walltime_ms)}",
            remedy="Give the longest time the job may run, or leave walltime out when it is not known.",
        )
    return duration_ms


def _duration(field: str, text: str | int) -> int:
    try:
        return parse_duration(text, field=field)
    except OverflowError:
        raise ValidationError(
            field=field, value=text, rule="a duration that ends", remedy='Write it like "90s", "1h30m" or "2d".'
        ) from None


def _grace(grace: str | int, settings: Settings) -> int:
    duration_ms = _duration("grace", grace)
    if not 0 <= duration_ms <= settings.grace_ms:
        raise ValidationError(
            field="grace",
            value=grace,
            rule=f"from 0s to {format_duration(settings.grace_ms)}",
            remedy="Give the time the job needs to save a checkpoint.",
        )
    return duration_ms


def _signal(name: str) -> str:
    if name not in SIGNALS:
        raise ValidationError(
            field="preemption_signal",
            value=name,
            rule="a signal a program can handle",
            remedy=f"Use one of {', '.join(SIGNALS)}.",
        )
    return name


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValidationError(
            field="name",
            value=name,
            rule="1 to 80 letters, digits, dots, dashes or underscores, starting with a letter or digit",
            remedy='Write it like "llama-pretrain-1".',
        )
    return name


def _whole(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValidationError(
            field=field,
            value=value,
            rule=f"a whole number from {least} to {most}",
            remedy="Choose one in that range.",
        )
    return value


def _memory(memory: str | int, settings: Settings) -> int:
    found = _BYTES.fullmatch(str(memory).strip())
    if found is None or int(found[1]) == 0:
        raise ValidationError(
            field="memory", value=memory, rule="a positive size in bytes, with a unit", remedy='Write it like "8GiB".'
        )
    unit = found[2].removesuffix("B")
    scale = _BINARY[unit[0]] if unit.endswith("i") else _SCALE[unit]
    size = int(found[1]) * scale
    if size > settings.memory_bytes:
        raise ValidationError(
            field="memory",
            value=memory,
            rule=f"at most {settings.memory_bytes} bytes",
            remedy="Leave memory out for no limit.",
        )
    return size
