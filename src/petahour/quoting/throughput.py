"""Measured throughput: what a short run of any program tells of a long one.

The program prints one line for each stretch of its work, on the output of its first rank::

    petahour: 320 samples in 0.412 s
    petahour: 320 samples in 0.405 s at 388 W

The unit is any word; the amount and the seconds are those since the line before. Power is optional, and that of one
accelerator. Where the program does not tell it, the meter's line at the end of the output may::

    petahour: power 388.2 W over 41.0 s by nvml
    petahour: power unknown: this host has no energy counter of its processors
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from petahour.model.errors import ValidationError
from petahour.quoting.own_runs import bounds_of

LINE = "petahour: AMOUNT UNIT in SECONDS s"
LEAST_STRETCHES = 3  # the first one is warm-up, and a spread needs two more
MOST_STRETCHES = 100_000
# Stretches are parts of the run: together they last no longer than it, but for two clocks that differ a little.
CLOCKS_DIFFER, CLOCKS_DIFFER_S = 1.02, 0.2
RUN_TO_RUN = 0.05  # relative deviation between two runs of one program on one machine
SET_UP_DEVIATION = 0.5  # relative deviation of the time before the first and after the last stretch
LEAST_SET_UP_DEVIATION_S = 0.5  # starting a program takes now this long, now that
_POWER = re.compile(
    r"^petahour: power (?:(?P<watts>\d{1,6}\.\d) W over (?P<seconds>\d{1,9}\.\d) s by (?P<by>[A-Za-z0-9_-]{1,30})"
    r"|unknown: (?P<reason>[^\n]{1,300}))\s*$",
    re.MULTILINE,
)
PROGRAM = "the program"
UNMETERED = "no meter ran beside it and the program told none"
_ANY = re.compile(r"^[ \t]*petahour:[^\n]*$", re.MULTILINE)
SHOWN = 100  # characters of a line that was not understood
_LINE = re.compile(
    r"^petahour: (?P<amount>\d{1,15}(?:\.\d{1,9})?) (?P<unit>[A-Za-z][A-Za-z0-9_-]{0,30})"
    r" in (?P<seconds>\d{1,9}(?:\.\d{1,9})?) s(?: at (?P<watts>\d{1,6}(?:\.\d{1,6})?) W)?\s*$",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """What was measured. ``rate`` is units per second of the whole gang once it is warm, ``spread`` its relative
    deviation between stretches, ``set_up_s`` what the run took beside them.

    ``power_w`` is one accelerator's mean, read by ``power_by``: the name of a meter, or the program itself. It is
    None where nobody read it, for the reason ``power_unknown``. ``joules`` are one accelerator's over the whole run.
    ``unread`` lines begin with "petahour:" and were not understood; ``first_unread`` is the first of them, shortened.
    """

    unit: str
    rate: float
    spread: float
    stretches: int
    set_up_s: float
    power_w: float | None
    power_by: str | None = None
    power_unknown: str | None = None
    joules: float | None = None
    unread: int = 0
    first_unread: str | None = None

    def run_s(self, amount: float) -> tuple[float, float, float]:
        """(low, expected, high) seconds of a run over so many units; eight of ten runs lie within.

        The rate is as uncertain as its mean over the stretches (neighbours depend on one another, so half of them
        count) and as two runs differ; the set-up is known from one run alone.
        """
        working_s = amount / self.rate
        of_rate = math.hypot(self.spread / math.sqrt(max(1.0, self.stretches / 2)), RUN_TO_RUN)
        expected_s = self.set_up_s + working_s
        of_set_up_s = max(LEAST_SET_UP_DEVIATION_S, SET_UP_DEVIATION * self.set_up_s)
        deviation_s = math.hypot(of_rate * working_s, of_set_up_s)
        low_s, high_s = bounds_of(expected_s, deviation_s / expected_s)
        return low_s, expected_s, high_s


def read_throughput(output: str, run_s: float) -> Throughput:
    """The throughput that a program's output tells; ``run_s`` is how long the whole run took.

    Raises ValidationError when there are too few lines, lines of several units, or stretches that together lasted
    longer than the run.
    """
    unread = _unread(output)
    found = [line for line in _LINE.finditer(output) if _counts(line)][:MOST_STRETCHES]
    stretches = [(float(line["amount"]), float(line["seconds"])) for line in found]
    if len(stretches) < LEAST_STRETCHES:
        raise ValidationError(
            field="output",
            value=len(stretches),
            rule=f'at least {LEAST_STRETCHES} lines "{LINE}" on the first rank\'s output{_seen(unread)}',
            remedy="Print one for each few seconds of work, and let the run go on for longer.",
        )
    units = {line["unit"] for line in found}
    if len(units) > 1:
        raise ValidationError(
            field="output", value=sorted(units), rule="one unit in all lines", remedy="Report one unit alone."
        )
    lasted_s = math.fsum(took for _, took in stretches)
    if lasted_s > CLOCKS_DIFFER * run_s + CLOCKS_DIFFER_S:
        raise ValidationError(
            field="output",
            value=f"{len(stretches)} stretches of {lasted_s:,.4g} s together",
            rule=f"stretches that together last no longer than the run, which took {run_s:,.4g} s",
            remedy="Print the seconds since the line before, and each stretch once.",
        )
    warm = stretches[1:]
    amount, seconds = (sum(column) for column in zip(*warm, strict=True))
    rate = amount / seconds
    rates = [part / took for part, took in warm]
    whole = sum(part for part, _ in stretches)
    power_w, power_by, reason = _power(output, found[1:])
    return Throughput(
        unit=units.pop(),
        rate=rate,
        spread=statistics.pstdev(rates) / rate,
        stretches=len(warm),
        set_up_s=max(0.0, run_s - whole / rate),
        power_w=power_w,
        power_by=power_by,
        power_unknown=reason,
        joules=None if power_w is None else power_w * run_s,
        unread=len(unread),
        first_unread=unread[0] if unread else None,
    )


def _unread(output: str) -> list[str]:
    """What begins like a line of ours and is none."""
    lines = (found[0] for found in _ANY.finditer(output))
    return [line.strip()[:SHOWN] for line in lines if not (_counts(_LINE.match(line)) or _POWER.match(line))]


def _counts(found: re.Match[str] | None) -> bool:
    return found is not None and float(found["amount"]) > 0 and float(found["seconds"]) > 0


def _seen(unread: Sequence[str]) -> str:
    return f"; {len(unread)} were not understood, the first is {unread[0]!r}" if unread else ""


def _power(output: str, warm: Sequence[re.Match[str]]) -> tuple[float | None, str | None, str | None]:
    """(watts, by what, why not): the program's own word counts before a meter's, which has the set-up in its mean."""
    watts = [float(line["watts"]) for line in warm if line["watts"] is not None]
    if watts:
        return statistics.fmean(watts), PROGRAM, None
    lines = list(_POWER.finditer(output))
    if not lines:
        return None, None, UNMETERED
    last = lines[-1]
    return (None, None, last["reason"]) if last["watts"] is None else (float(last["watts"]), last["by"], None)
