"""Generate: from what is asked to a trace."""

from __future__ import annotations

import numpy as np

from petahour.model.jobs import Tier
from petahour.simulator.generate.arrivals import arrivals
from petahour.simulator.generate.draw import Floats, Ints, Source
from petahour.simulator.generate.options import GenerateOptions
from petahour.simulator.generate.profile import Profile, read_profile
from petahour.simulator.generate.rows import Choice, jobs_by_submit
from petahour.simulator.generate.run_times import run_times, stretched, whole_seconds
from petahour.simulator.generate.seats import Seats, seats_of, unbounded_seats
from petahour.simulator.generate.tasks import TaskTable, tasks_of
from petahour.simulator.trace import Trace

DAY_S = 86_400
# How much of its class's quantiles one task may cover: a task that makes up half of a small trace still has run times
# around a median of its own.
WIDEST_TASK = 0.02
# A declared walltime leaves at least this much room above the run it is declared for.
LEAST_OVER = 1.05


def generate(options: GenerateOptions) -> Trace:
    """A synthetic trace, labelled so in its name; the same for the same options on every machine.

    A job's types name the one it was written for and, for flexible tasks, those that would do, with speeds. Raises
    ValidationError when a profile cannot be read, a fleet has a type unknown to it, or a load cannot be met.
    """
    profile = read_profile(options.profile)
    source = Source(options.seed)
    horizon_s = max(1, round(options.days * DAY_S))
    if options.nodes:
        seats = seats_of(profile, options.nodes, even=options.load is not None, longest_s=horizon_s)
    else:
        seats = unbounded_seats(profile)
    tasks = tasks_of(profile, source, jobs=options.jobs, tenants=options.tenants, seats=seats)

    task = np.repeat(np.arange(len(tasks.jobs)), tasks.jobs)
    kind = tasks.type[task]
    natural_s = natural_run_times(profile, source, tasks, task)
    if options.load is None:
        factors = np.full(len(profile.types), options.scale)
        duration_s = whole_seconds(natural_s * options.scale, horizon_s)
    else:
        duration_s, factors = stretched(
            whole_seconds(natural_s, horizon_s),
            tasks.gang[task],
            kind,
            accelerators=seats.accelerators,
            load=options.load,
            horizon_s=horizon_s,
        )
    jobs = jobs_by_submit(
        tasks,
        _choices(profile, tasks, seats),
        task=task,
        submit_s=arrivals(profile.rhythm, source, task, horizon_s),
        duration_s=duration_s,
        walltime_s=walltimes(profile, tasks.over[task], tasks.median_s[task] * factors[kind], duration_s),
    )
    return Trace(name=f"synthetic-{profile.name}-{options.seed}", jobs=jobs, nodes=tuple(options.nodes))


def natural_run_times(profile: Profile, source: Source, tasks: TaskTable, task: Ints) -> Floats:
    """Seconds per job before any stretch: around its task's median; an odd run's like any other task's."""
    habit, count = profile.tasks, len(task)
    across = source.uniform("across", count)
    place = tasks.place[task] + (across - 0.5) * np.minimum(tasks.width, WIDEST_TASK)[task]
    odd = source.uniform("odd", count) < habit.odd
    seconds = run_times(profile, tasks.duration_class[task], np.where(odd, source.uniform("odd-place", count), place))
    noise = np.exp(habit.spread * source.bell("spread", count))
    return np.where(odd, seconds, seconds * noise)


def walltimes(profile: Profile, over: Floats, median_s: Floats, duration_s: Ints) -> Ints:
    """Declared seconds per job, 0 for none: the task's median times its factor, rounded up to what people write.

    Never less than the run: a walltime here is a bound, over-estimated.
    """
    lengths = np.array(profile.walltime.lengths_s, np.int64)
    wanted = np.maximum(median_s * over, duration_s * LEAST_OVER)
    upto = np.minimum(np.searchsorted(lengths, wanted), len(lengths) - 1)
    whole_days = np.ceil(wanted / DAY_S).astype(np.int64) * DAY_S
    return np.where(over > 0, np.where(wanted <= lengths[-1], lengths[upto], whole_days), 0)


def _choices(profile: Profile, tasks: TaskTable, seats: Seats) -> list[Choice]:
    """Each task's acceptable types, their speeds and its tier; equal choices are one object."""
    columns = (tasks.type, tasks.gang, tasks.power, tasks.flexible, tasks.spot)
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    known = {key: _choice(profile, seats, *key) for key in set(keys)}
    return [known[key] for key in keys]


def _choice(profile: Profile, seats: Seats, kind: int, gang: int, power: int, flexible: bool, spot: bool) -> Choice:
    number = {habit.name: index for index, habit in enumerate(profile.types)}
    habit = profile.types[kind]
    others = [name for name in habit.also if gang <= seats.largest[number[name]]] if flexible else []
    exponent = profile.choice.powers[power]
    speeds = [round((profile.types[number[name]].compute / habit.compute) ** exponent, 2) for name in others]
    tier = Tier.SPOT if spot else Tier.ON_DEMAND
    return Choice(types=(habit.name, *others), speeds=(1.0, *speeds), tier=tier)
