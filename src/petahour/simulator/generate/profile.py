"""Profiles: a data centre's habits as shares and quantiles, in a TOML file that a person can read and change."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic import ValidationError as SchemaError

from petahour.model.errors import ValidationError

SHARES_TOLERANCE = 0.01
_FOLDER = "profiles"

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TypeHabit(_Table):
    """One type of accelerator: its share of jobs and of the fleet, what would do instead, and its gangs."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    job_share: Share
    fleet_share: Share
    node_accelerators: Annotated[int, Field(ge=1, le=1_024)]
    compute: Amount
    also: tuple[str, ...] = ()
    gangs: Annotated[tuple[Count, ...], Field(min_length=1)]
    gang_shares: tuple[Share, ...]

    @model_validator(mode="after")
    def _check(self) -> TypeHabit:
        _same_length("gangs", self.gangs, "gang_shares", self.gang_shares)
        _rising("gangs", self.gangs)
        _whole("gang_shares", self.gang_shares)
        if self.gangs[0] != 1 or not self.gang_shares[0]:
            raise ValueError("gangs begin with 1, and some jobs have it")
        return self


class DurationClass(_Table):
    """The quantiles of run times of gangs of this size and above, up to the next class."""

    from_accelerators: Count
    seconds: tuple[Amount, ...]


class Durations(_Table):
    """Quantiles of run times, at ``points``, by gang size."""

    points: Annotated[tuple[Share, ...], Field(min_length=2)]
    classes: Annotated[tuple[DurationClass, ...], Field(alias="class", min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Durations:
        _rising("points", self.points)
        if self.points[0] != 0 or self.points[-1] != 1:
            raise ValueError("points go from 0 to 1")
        _rising("from_accelerators", [one.from_accelerators for one in self.classes])
        if self.classes[0].from_accelerators != 1:
            raise ValueError("the first class is from 1 accelerator")
        for one in self.classes:
            _same_length("points", self.points, "seconds", one.seconds)
            _rising("seconds", one.seconds)
        return self


class Tenants(_Table):
    """Shares of jobs by the tenant's rank; ``home`` is the share of a tenant's tasks on its own few types."""

    ranks: Annotated[tuple[Count, ...], Field(min_length=2)]
    job_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    home: Share

    @model_validator(mode="after")
    def _check(self) -> Tenants:
        _same_length("ranks", self.ranks, "job_shares", self.job_shares)
        _rising("ranks", self.ranks)
        return self


class Rhythm(_Table):
    """Arrivals by hour of the day and day of the week (from Monday), and how they come in bursts."""

    hours: Annotated[tuple[Amount, ...], Field(min_length=24, max_length=24)]
    weekdays: Annotated[tuple[Amount, ...], Field(min_length=7, max_length=7)]
    day_noise: Annotated[float, Field(ge=0, le=2)]
    hour_noise: Annotated[float, Field(ge=0, le=2)]
    burst_jobs: Annotated[float, Field(ge=1, le=1_000)]
    burst_gap_s: Annotated[float, Field(ge=0, le=86_400)]


class Spot(_Table):
    """The share of spot jobs by the task's usual run time; ``below_s`` bounds the bands but the last."""

    below_s: tuple[Amount, ...]
    shares: tuple[Share, ...]

    @model_validator(mode="after")
    def _check(self) -> Spot:
        _rising("below_s", self.below_s)
        if len(self.shares) != len(self.below_s) + 1:
            raise ValueError("shares has one entry more than below_s")
        return self


class Tasks(_Table):
    """How jobs recur under one name."""

    runs: Annotated[float, Field(ge=1, le=1_000_000)]
    flat: Annotated[float, Field(ge=0, le=1_000_000)]
    spread: Annotated[float, Field(ge=0, le=3)]
    odd: Share


class Walltime(_Table):
    """Who declares a walltime and by how much it is over-estimated."""

    declared: Share
    over: Annotated[tuple[Annotated[float, Field(ge=1, le=1_000)], ...], Field(min_length=1)]
    lengths_s: Annotated[tuple[Annotated[int, Field(ge=1, le=10**9)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Walltime:
        _rising("lengths_s", (0, *self.lengths_s))
        return self


class Choice(_Table):
    """Who takes another type, and what the other type's compute is worth to the task: ratio to the power."""

    flexible: Share
    powers: Annotated[tuple[Annotated[float, Field(ge=0, le=3)], ...], Field(min_length=1)]


class Profile(_Table):
    """A data centre's habits. Frozen; read by ``read_profile``."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    types: Annotated[tuple[TypeHabit, ...], Field(alias="type", min_length=1)]
    durations: Durations
    tenants: Tenants
    rhythm: Rhythm
    spot: Spot
    tasks: Tasks
    walltime: Walltime
    choice: Choice

    @model_validator(mode="after")
    def _check(self) -> Profile:
        names = [one.name for one in self.types]
        if len(set(names)) != len(names):
            raise ValueError("every type has a name of its own")
        for one in self.types:
            unknown = [name for name in one.also if name not in names or name == one.name]
            if unknown:
                raise ValueError(f"also of {one.name} names other types of the profile, not {', '.join(unknown)}")
        _whole("job_share of all types", [one.job_share for one in self.types])
        _whole("fleet_share of all types", [one.fleet_share for one in self.types])
        return self


def profile_names() -> list[str]:
    """The packaged profiles."""
    folder = resources.files(__package__) / _FOLDER
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@lru_cache(maxsize=8)
def read_profile(name: str) -> Profile:
    """The packaged profile of that name, or the one in a file whose path ends in ``.toml``.

    Raises ValidationError naming the file, the field, the rule and the remedy.
    """
    if name.endswith(".toml"):
        path = Path(name)
        file = path.name
    elif name in profile_names():
        file = f"{name}.toml"
    else:
        known = ", ".join(profile_names())
        raise ValidationError(
            field="profile",
            value=name,
            rule=f"a packaged profile ({known}) or the path of a .toml file",
            remedy="Name one of these.",
        )
    try:
        text = (
            Path(name).read_text("utf-8")
            if name.endswith(".toml")
            else (resources.files(__package__) / _FOLDER / file).read_text("utf-8")
        )
        return Profile.model_validate(_tuples(tomllib.loads(text)))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValidationError(
            field=file,
            value=None,
            rule=f"a readable UTF-8 TOML file ({error})",
            remedy="Check the path and the file.",
        ) from None
    except SchemaError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValidationError(
            field=f"{file}: {place}" if place else file,
            value=None if isinstance(first["input"], dict) else first["input"],
            rule=first["msg"].removeprefix("Value error, "),
            remedy="Mend the file; the packaged profile mixed is an example.",
        ) from None


def _tuples(value: object) -> object:
    """The same with tuples for lists, which a strict and frozen table wants."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _same_length(left: str, lefts: Sequence[object], right: str, rights: Sequence[object]) -> None:
    if len(lefts) != len(rights):
        raise ValueError(f"{left} and {right} are equally long, not {len(lefts)} and {len(rights)}")


def _rising(field: str, values: Sequence[float]) -> None:
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError(f"{field} rise from entry to entry")


def _whole(field: str, shares: Sequence[float]) -> None:
    if abs(sum(shares) - 1) > SHARES_TOLERANCE:
        raise ValueError(f"{field} sum to 1, not {sum(shares):.4f}")
