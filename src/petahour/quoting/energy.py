"""Energy of a run: what accelerators draw at work, their hosts, and the building."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petahour.quoting.chips import Chip


@dataclass(frozen=True, kw_only=True, slots=True)
class Building:
    """``host_part`` is what hosts, network and fans draw per watt of the accelerators, ``facility`` the watts at the
    meter per watt of the machines (PUE)."""

    host_part: float = 0.30
    facility: float = 1.20

    @property
    def factors(self) -> Mapping[str, float]:
        """By what the accelerators' own draw is multiplied, for whoever reads the energy."""
        return {"energy_hosts": 1.0 + self.host_part, "energy_building": self.facility}


# Draw relative to the chip's limit: while it waits, while it computes, while it moves memory or messages.
WAITING = 0.30
COMPUTING = 0.95
MOVING = 0.70


def mean_power_w(chip: Chip, *, computing: float, moving: float) -> float | None:
    """Watts of one accelerator averaged over a run, given the parts of the time (0 to 1) that it computes and moves
    data; None where its limit is not known."""
    if chip.power_w is None:
        return None
    waiting = max(1.0 - computing - moving, 0.0)
    return chip.power_w * (COMPUTING * computing + MOVING * moving + WAITING * waiting)


def energy_kwh(power_w: float, accelerator_hours: float, building: Building) -> float:
    """Kilowatt-hours at the meter."""
    return power_w * (1.0 + building.host_part) * building.facility * accelerator_hours / 1000.0
