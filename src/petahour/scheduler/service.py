"""Service: what each tenant has had of the fleet, past usage counting less the longer it is ago."""

from __future__ import annotations

from math import exp, log

from petahour.model.time import HOUR_MS

HALF_LIFE_MS = 24 * HOUR_MS


class Service:
    """Decayed accelerator-milliseconds per tenant, exact between changes at the cost of the changes alone.

    With usage rate r constant since t0, s(t) = s(t0) e^(-k(t-t0)) + r/k (1 - e^(-k(t-t0))), k = ln 2 / half-life.
    """

    def __init__(self, half_life_ms: int = HALF_LIFE_MS) -> None:
        self._decay = log(2) / half_life_ms
        self._tenants: dict[str, tuple[float, int, int]] = {}

    def change(self, tenant: str, accelerators: int, now_ms: int) -> None:
        """The tenant holds so many more (or fewer, when negative) from now on."""
        _, rate, since_ms = self._tenants.get(tenant, (0.0, 0, now_ms))
        self._tenants[tenant] = (self.of(tenant, now_ms), rate + accelerators, max(since_ms, now_ms))

    def of(self, tenant: str, now_ms: int) -> float:
        """Decayed accelerator-milliseconds."""
        known = self._tenants.get(tenant)
        if known is None:
            return 0.0
        value, rate, since_ms = known
        kept = exp(-self._decay * max(0, now_ms - since_ms))
        return value * kept + rate / self._decay * (1 - kept)
