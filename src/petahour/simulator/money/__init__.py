"""Money in replays: prices, what every run costs by the billing that runs live, and that no time is lost in it."""

from petahour.simulator.money.bill import Bill, Line, bill_of
from petahour.simulator.money.conserve import bill_faults
from petahour.simulator.money.prices import Prices, read_prices

__all__ = ["Bill", "Line", "Prices", "bill_faults", "bill_of", "read_prices"]
