"""Generated traces and fleets: synthetic, seeded, and like a real data centre in the figures that matter."""

from petahour.simulator.generate.fleet import fleet_of
from petahour.simulator.generate.fleet_file import Fleet, read_fleet
from petahour.simulator.generate.fleet_speeds import with_speeds
from petahour.simulator.generate.fleet_write import write_fleet
from petahour.simulator.generate.options import GenerateOptions
from petahour.simulator.generate.plain import plain
from petahour.simulator.generate.profile import Profile, read_profile
from petahour.simulator.generate.trace import generate

__all__ = [
    "Fleet",
    "GenerateOptions",
    "Profile",
    "fleet_of",
    "generate",
    "plain",
    "read_fleet",
    "read_profile",
    "with_speeds",
    "write_fleet",
]
