"""Options of replays: names and help once, and what they mean to the simulator."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.model.errors import ValidationError

if TYPE_CHECKING:
    from petahour.simulator.faults import Faults
    from petahour.simulator.generate import Fleet, GenerateOptions
    from petahour.simulator.limits import PriceLimits
    from petahour.simulator.money import Prices
    from petahour.simulator.scenario import World
    from petahour.simulator.trace import Trace

TraceFile = Annotated[Path, typer.Argument(metavar="TRACE", help="The trace's file, plain or gzip.")]
Format = Annotated[str, typer.Option("--format", help='What kind of file; "petahour trace formats" lists them.')]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse any line that is no job, and any job that no fleet here could run.")
]
SingleVc = Annotated[bool, typer.Option("--single-vc", help="All jobs are one tenant's: ignore clusters.")]
Throughputs = Annotated[Path | None, typer.Option(help="Gavel's table of measured steps per second.")]
NodeList = Annotated[Path | None, typer.Option(help="The node list that belongs to an openb trace.")]
FleetFile = Annotated[Path | None, typer.Option("--fleet", help="fleet.toml with the nodes.")]

MOST_SEEDS = 10_000
_GENERATED = {"jobs": int, "days": float, "tenants": int, "profile": str, "load": float, "scale": float}


def policies_of(text: str) -> list[str]:
    """The names of ``a,b,c``, each once and known. Raises ValidationError."""
    from petahour.scheduler.policies import policy_named

    names = [name.strip() for name in text.split(",")]
    for name in names:
        policy_named(name)
        if names.count(name) > 1:
            raise ValidationError(field="policy", value=name, rule="each policy once", remedy="Leave out the second.")
    return names


def seeds_of(text: str) -> list[int]:
    """``1-10``, ``1,5,9`` or both mixed, each once. Raises ValidationError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or not (last.isdecimal() if dash else not last):
            raise _wrong_seeds(text, "whole numbers from 0, and ranges of them")
        seeds += range(int(first), min(int(last), int(first) + MOST_SEEDS) + 1) if dash else [int(first)]
    if not seeds or len(set(seeds)) < len(seeds) or len(seeds) > MOST_SEEDS:
        raise _wrong_seeds(text, f"at least one, at most {MOST_SEEDS:,}, and each once")
    return seeds


def world_of(
    *,
    preemptible: bool,
    restart_cost: str,
    checkpoint_every: str | None,
    max_preemptions: int | None,
    faults: Faults,
    estimate_noise: str | None,
    prices: Prices | None,
    price_limits: str | None,
    reservations: Path | None,
) -> World:
    """What is the same for every policy; wrong options are told before a file is read. Raises ValidationError."""
    from petahour.model.time import parse_duration
    from petahour.scheduler.state import Bounds
    from petahour.simulator.estimates import parse_noise
    from petahour.simulator.replay import BOUNDS, Costs
    from petahour.simulator.reservations import read_reservations
    from petahour.simulator.scenario import World

    return World(
        preemptible=preemptible,
        costs=Costs(
            restart_ms=parse_duration(restart_cost, field="restart_cost"),
            checkpoint_ms=_duration(checkpoint_every, "checkpoint_every"),
        ),
        bounds=BOUNDS if max_preemptions is None else Bounds(max_preemptions=max_preemptions),
        faults=faults,
        noise=None if estimate_noise is None else parse_noise(estimate_noise),
        prices=prices,
        limits=None if price_limits is None else _limits(price_limits, prices),
        reservations=() if reservations is None else read_reservations(reservations),
    )


def _limits(text: str, prices: Prices | None) -> PriceLimits:
    from petahour.simulator.limits import parse_limits

    if prices is None:
        raise ValidationError(
            field="price_limits", value=text, rule="belongs to a price book", remedy="Give --price-book FILE."
        )
    return parse_limits(text)


def prices_of(file: Path | None, currency: str | None, begins: str | None) -> Prices | None:
    """The price books of a file, and where on the calendar the trace lies. Raises ValidationError."""
    from petahour.simulator.money import read_prices

    if file is None:
        for field, value in (("currency", currency), ("begins", begins)):
            if value is not None:
                raise ValidationError(
                    field=field, value=value, rule="belongs to a price book", remedy="Give --price-book FILE."
                )
        return None
    return read_prices(file, currency=currency, begins_ms=None if begins is None else _instant(begins))


def faults_of(node_mtbf: str | None, accelerator_mtbf: str | None, repair: str, drains: Path | None) -> Faults:
    """What fails and what is planned. Raises ValidationError."""
    from petahour.model.time import parse_duration
    from petahour.simulator.drains import read_drains
    from petahour.simulator.faults import Faults

    return Faults(
        node_mtbf_ms=_duration(node_mtbf, "node_mtbf"),
        accelerator_mtbf_ms=_duration(accelerator_mtbf, "accelerator_mtbf"),
        repair_ms=parse_duration(repair, field="repair"),
        drains=() if drains is None else read_drains(drains),
    )


def fleets_of(
    files: Sequence[Path], counts: Sequence[int], width: int, trace: Trace | None = None
) -> dict[str, Fleet]:
    """The fleets to replay on by name: files, plain fleets of so many nodes, or the trace's own.

    Raises ValidationError.
    """
    from petahour.simulator.fleet import plain_nodes
    from petahour.simulator.generate import Fleet, read_fleet

    if files and counts:
        raise ValidationError(
            field="nodes",
            value=counts[0],
            rule="fleet files or plain fleets",
            remedy="Leave out --nodes or --fleet.",
        )
    if files:
        return {name: read_fleet(path) for name, path in _named(files).items()}
    if counts:
        return {f"{count} x {width}": Fleet(nodes=plain_nodes(count, width)) for count in counts}
    if trace is not None and trace.nodes:
        return {trace.name: Fleet(nodes=trace.nodes, reservations=trace.reservations)}
    raise ValidationError(
        field="fleet",
        value=None,
        rule="this trace brings no fleet of its own",
        remedy="Give --fleet FILE, or --nodes N --accelerators-per-node K for a plain one.",
    )


def generated_of(text: str, fleet: Fleet, seed: int) -> GenerateOptions:
    """``jobs=2000,days=7,load=0.9`` as options of the generator, for this fleet. Raises ValidationError."""
    from petahour.simulator.generate import GenerateOptions

    asked: dict[str, object] = {"jobs": 10_000, "days": 7.0}
    for part in text.split(","):
        name, _, value = (item.strip() for item in part.partition("="))
        try:
            asked[name] = _GENERATED[name](value)
        except (KeyError, ValueError):
            raise ValidationError(
                field="generate",
                value=part,
                rule=f"NAME=VALUE, where NAME is one of {', '.join(_GENERATED)}",
                remedy='Write it like "jobs=2000,days=7,load=0.9".',
            ) from None
    if isinstance(asked["jobs"], int):
        asked.setdefault("tenants", tenants_of(asked["jobs"]))
    return GenerateOptions(seed=seed, nodes=tuple(fleet.nodes), **asked)  # type: ignore[arg-type]


def tenants_of(jobs: int) -> int:
    """How many tenants submit a generated trace where nobody says: each has a job."""
    return min(40, jobs)


def check_outputs(per_job: Path | None, report: Path | None) -> None:
    """Told before the first replay, not after the last: where what they make could not be written.

    Nothing is made here. Raises ValidationError.
    """
    for file, folder in ((per_job, per_job and per_job.parent), (report, report and _standing(report))):
        if file is not None and folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise ValidationError(
                field="file",
                value=str(file),
                rule=f"in a folder that exists and that you may write ({folder} is not)",
                remedy="Name another.",
            )


def _standing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next((place for place in (folder, *folder.parents) if place.exists()), folder)


@contextmanager
def writing() -> Iterator[None]:
    """A file that cannot be written is the caller's mistake: it is named."""
    try:
        yield
    except OSError as error:
        raise ValidationError(
            field="file", value=str(error.filename), rule=f"can be written ({error.strerror})", remedy="Name another."
        ) from error


def _duration(text: str | None, field: str) -> int | None:
    from petahour.model.time import parse_duration

    return None if text is None else parse_duration(text, field=field)


def _instant(text: str) -> int:
    from petahour.model.time import to_ms

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValidationError(
            field="begins",
            value=text,
            rule="a date and time with its zone",
            remedy="Write it like 2026-03-02T00:00:00Z.",
        )
    return to_ms(at)


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """The files by the shortest of their names that tell them apart."""
    for named in (lambda path: path.stem, lambda path: str(path)):
        names = {named(path): path for path in files}
        if len(names) == len(files):
            return names
    raise ValidationError(field="fleet", value=str(files[0]), rule="each fleet once", remedy="Leave out the second.")


def _wrong_seeds(text: str, rule: str) -> ValidationError:
    return ValidationError(field="seeds", value=text, rule=rule, remedy='Write them like "1-10" or "1,5,9".')
