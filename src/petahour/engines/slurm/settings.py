"""What a site says of its Slurm: partition, accounts, what its GRES are in the catalogue, and how to reach it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as SchemaError

from petahour.model.errors import ValidationError
from petahour.model.time import MINUTE_MS

_Choice = TypeVar("_Choice", bound=StrEnum)
_GRES = re.compile(r"[A-Za-z0-9_]+(:[A-Za-z0-9_.+-]+)?")


class Mode(StrEnum):
    """``placed``: Petahour names the nodes; ``delegated``: Slurm picks them inside a partition it shares."""

    PLACED = "placed"
    DELEGATED = "delegated"


class Devices(StrEnum):
    """Whose device numbers a rank is shown: those Petahour chose, or those Slurm bound the job to.

    ``slurm`` is right where cgroups constrain devices, since a job can then open no others.
    """

    PETAHOUR = "petahour"
    SLURM = "slurm"


@dataclass(frozen=True, kw_only=True, slots=True)
class RestSettings:
    """slurmrestd. The token is read from ``token_file`` for each request, or made anew by ``token_command``."""

    url: str
    user: str
    version: str = "v0.0.38"
    token_file: Path | None = None
    token_command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmSettings:
    """One Slurm cluster as an engine.

    ``gres``: site names such as ``gpu:a100`` to types of the catalogue. ``pending_limit_ms``: how long a job may
    wait in Slurm before it is placed anew; it has no meaning in delegated mode. ``conf``: slurm.conf, where it is
    not Slurm's own default. ``python``: the interpreter on the nodes, 3.9 or newer. ``cpus_per_accelerator``: host
    CPUs a rank is given; a node's even share without it.
    """

    partition: str
    gres: Mapping[str, str]
    mode: Mode = Mode.PLACED
    devices: Devices = Devices.PETAHOUR
    account: str | None = None
    qos: str | None = None
    exclusive: bool = False
    rehearsal: bool = False
    cpus_per_accelerator: int | None = None
    pending_limit_ms: int = 10 * MINUTE_MS
    poll_ms: int = 1_000
    nodes_poll_ms: int = 2_000
    python: str = "python3"
    conf: Path | None = None
    rest: RestSettings | None = None


class _Rest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    url: str = Field(pattern=r"https?://.+")
    user: str = Field(min_length=1)
    version: str = Field(default="v0.0.38", pattern=r"v\d+\.\d+\.\d+")
    token_file: str | None = None
    token_command: list[str] = Field(default_factory=list)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    partition: str = Field(min_length=1)
    gres: dict[str, str] = Field(min_length=1)
    mode: str = Mode.PLACED.value
    devices: str | None = None
    account: str | None = None
    qos: str | None = None
    exclusive: bool = False
    rehearsal: bool = False
    cpus_per_accelerator: int | None = Field(default=None, ge=1, le=1_024)
    pending_limit_s: int = Field(default=600, ge=5, le=7 * 86_400)
    poll_ms: int = Field(default=1_000, ge=100, le=60_000)
    nodes_poll_ms: int = Field(default=2_000, ge=100, le=600_000)
    python: str = Field(default="python3", min_length=1)
    conf: str | None = None
    rest: _Rest | None = None


def read_settings(path: Path, types: Container[str]) -> SlurmSettings:
    """The settings of ``slurm.toml``; ``types``: the catalogue's names.

    Raises ValidationError naming file, field and rule.
    """
    try:
        parsed = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refuse(path, str(path), f"a readable UTF-8 TOML file ({error})") from None
    except SchemaError as error:
        first = error.errors()[0]
        raise _refuse(path, ".".join(map(str, first["loc"])), first["msg"], first.get("input")) from None
    for name, wanted in parsed.gres.items():
        if _GRES.fullmatch(name) is None:
            raise _refuse(path, "gres", "Slurm's name and type, such as gpu:a100", name)
        if wanted not in types:
            raise _refuse(path, f"gres.{name}", "a type of the catalogue", wanted)
    mode = _one_of(path, "mode", parsed.mode, Mode)
    standard = Devices.SLURM if mode is Mode.DELEGATED else Devices.PETAHOUR
    devices = standard if parsed.devices is None else _one_of(path, "devices", parsed.devices, Devices)
    if mode is Mode.DELEGATED and devices is not Devices.SLURM:
        raise _refuse(path, "devices", '"slurm" in delegated mode, where Slurm picks the devices', devices.value)
    return SlurmSettings(
        partition=parsed.partition,
        gres=parsed.gres,
        mode=mode,
        devices=devices,
        account=parsed.account,
        qos=parsed.qos,
        exclusive=parsed.exclusive,
        rehearsal=parsed.rehearsal,
        cpus_per_accelerator=parsed.cpus_per_accelerator,
        pending_limit_ms=parsed.pending_limit_s * 1_000,
        poll_ms=parsed.poll_ms,
        nodes_poll_ms=parsed.nodes_poll_ms,
        python=parsed.python,
        conf=None if parsed.conf is None else Path(parsed.conf),
        rest=None if parsed.rest is None else _rest(path, parsed.rest),
    )


def _rest(path: Path, entry: _Rest) -> RestSettings:
    if (entry.token_file is None) == (not entry.token_command):
        raise _refuse(path, "rest", "either token_file or token_command", None)
    return RestSettings(
        url=entry.url.rstrip("/"),
        user=entry.user,
        version=entry.version,
        token_file=None if entry.token_file is None else Path(entry.token_file),
        token_command=tuple(entry.token_command),
    )


def _one_of(path: Path, name: str, value: str, choices: type[_Choice]) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        raise _refuse(path, name, f"one of {', '.join(choices)}", value) from None


def _refuse(path: Path, name: str, rule: str, value: object = None) -> ValidationError:
    return ValidationError(field=name, value=value, rule=rule, remedy=f"Mend {path.name} and start again.")
