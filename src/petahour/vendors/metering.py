"""The program that meters the devices of a job until it is told to stop, and says what it read in one line.

    python -m petahour.vendors.metering VENDOR INDEX[,INDEX...]

It prints, at SIGTERM or when its parent is gone::

    petahour: power 388.2 W over 41.0 s by nvml
    petahour: power unknown: this host has no energy counter ...

Watts are the mean of one accelerator. The line goes to the output of the job's first rank, where throughput is read.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass

from petahour.vendors.power import ASKED_EVERY_S, Meter, NoMeter, Sample, meter_of


@dataclass(kw_only=True, slots=True)
class Reading:
    """Samples put together: by the counter where every sample has it, else watts over the time between them."""

    first_s: float | None = None
    last_s: float = 0.0
    first_joules: float | None = None
    last_joules: float | None = None
    watt_seconds: float = 0.0
    last_watts: float | None = None

    def take(self, sample: Sample, at_s: float) -> None:
        """A sample at an instant of a clock that only goes forward."""
        if self.first_s is None:
            self.first_s, self.first_joules = at_s, sample.joules
        elif sample.watts is not None and self.last_watts is not None:
            self.watt_seconds += (sample.watts + self.last_watts) / 2 * (at_s - self.last_s)
        self.last_s, self.last_joules, self.last_watts = at_s, sample.joules, sample.watts

    @property
    def span_s(self) -> float:
        """Seconds between the first sample and the last."""
        return 0.0 if self.first_s is None else self.last_s - self.first_s

    @property
    def joules(self) -> float | None:
        """What was drawn in between; None where no two samples tell."""
        if self.span_s <= 0:
            return None
        if self.first_joules is not None and self.last_joules is not None:
            return self.last_joules - self.first_joules
        return self.watt_seconds or None


def told(meter: Meter, reading: Reading) -> str:
    """The line."""
    joules = reading.joules
    if joules is None:
        return unknown(f"{meter.name} told it less than twice")
    watts = joules / reading.span_s / meter.devices
    return f"petahour: power {watts:.1f} W over {reading.span_s:.1f} s by {meter.name}"


def unknown(reason: str) -> str:
    """The line where there is nothing to tell, and why."""
    return f"petahour: power unknown: {' '.join(reason.split())}"


class _StopError(Exception):
    """It was told to stop."""


def main(arguments: list[str]) -> int:
    """Meter until SIGTERM. Wrong arguments are told in the line too."""
    parent = os.getppid()

    def stop(*_: object) -> None:
        raise _StopError

    meter: Meter | NoMeter = NoMeter(reason="it was told to stop before it could begin")
    reading, idle = Reading(), threading.Event()
    try:
        signal.signal(signal.SIGTERM, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # It may have come already.
        meter = meter_of(arguments[0], [int(one) for one in arguments[1].split(",")])
        while not isinstance(meter, NoMeter) and os.getppid() == parent:
            _sample(meter, reading)
            idle.wait(meter.every_s)
        while os.getppid() == parent:
            idle.wait(ASKED_EVERY_S)  # There is nothing to meter; the line comes at the end all the same.
    except _StopError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except (IndexError, ValueError):
        meter = NoMeter(reason=f"it was asked to meter {arguments}")
    if not isinstance(meter, NoMeter) and reading.last_joules is not None:
        _sample(meter, reading)  # A counter answers at once; a tool would be waited for.
    line = unknown(meter.reason) if isinstance(meter, NoMeter) else told(meter, reading)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return 0


def _sample(meter: Meter, reading: Reading) -> None:
    sample = meter.read()
    if sample is not None:
        reading.take(sample, time.monotonic())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
