"""What is asked of the generator, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from petahour.model.errors import ValidationError
from petahour.model.resources import Node

MAX_JOBS = 10_000_000
MAX_DAYS = 3_660.0
MAX_LOAD = 100.0
MAX_SCALE = 1_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateOptions:
    """``jobs`` submitted within ``days`` by ``tenants``; the same for the same ``seed`` on every machine.

    ``profile`` is the name of a packaged profile or the path of one. With ``load``, run times are stretched or
    shortened, type by type, until the accelerator-time asked for is that part of what ``nodes`` offer in these days;
    without, every run time is the profile's times ``scale``. ``nodes`` also bound gangs to half of their type.
    Raises ValidationError.
    """

    jobs: int
    days: float
    seed: int
    tenants: int = 40
    profile: str = "mixed"
    load: float | None = None
    scale: float = 1.0
    nodes: Sequence[Node] = field(default=())

    def __post_init__(self) -> None:
        check_whole("jobs", self.jobs, 1, MAX_JOBS)
        check_amount("days", self.days, MAX_DAYS)
        check_whole("seed", self.seed, 0, 2**63 - 1)
        check_whole("tenants", self.tenants, 1, self.jobs)
        check_amount("scale", self.scale, MAX_SCALE)
        if self.load is None:
            return
        check_amount("load", self.load, MAX_LOAD)
        if not self.nodes:
            raise ValidationError(
                field="load",
                value=self.load,
                rule="a load is relative to a fleet",
                remedy="Name the fleet, or leave the load out.",
            )
        if self.scale != 1.0:
            raise ValidationError(
                field="scale",
                value=self.scale,
                rule="the load already sets how long jobs run",
                remedy="Leave out the scale or the load.",
            )


def check_whole(field: str, value: object, least: int, most: int) -> None:
    """Raises ValidationError unless the value is a whole number between the two."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValidationError(
            field=field, value=value, rule=f"a whole number from {least} to {most}", remedy="Name one of these."
        )


def check_amount(field: str, value: object, most: float) -> None:
    """Raises ValidationError unless the value is a number above 0 and at most ``most``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ValidationError(
            field=field, value=value, rule=f"a number above 0, at most {most:g}", remedy="Name one of these."
        )
