"""Service: what each tenant has had of the fleet, past usage counting less the longer it is ago."""

from __future__ import annotations

from math import exp, log, log2

from petahour.model.time import HOUR_MS

HALF_LIFE_MS = 24 * HOUR_MS


class Service:
    """Decayed accelerator-milliseconds per tenant, exact between changes at the cost of the changes alone.

    With usage rate r constant since t0, s(t) = s(t0) e^(-k(t-t0)) + r/k (1 - e^(-k(t-t0))), k = ln 2 / half-life.
    """

    def __init__(self, half_life_ms: int = HALF_LIFE_MS) -> None:
        self._decay = log(2) / half_life_ms
        self._all = (0.0, 0, 0)
        self._asked_ms, self._known = -1, dict[str, int]()
        self._tenants: dict[str, tuple[float, int, int]] = {}

    def at(self, now_ms: int) -> Service:
        """The same usage so far, and nobody holds anything."""
        other = Service()
        other._decay = self._decay
        other._all = (self._decayed(self._all, now_ms), 0, now_ms)
        other._tenants = {name: (self._decayed(one, now_ms), 0, now_ms) for name, one in self._tenants.copy().items()}
        return other

    def change(self, tenant: str, accelerators: int, now_ms: int) -> None:
        """The tenant holds so many more (or fewer, when negative) from now on."""
        known = self._tenants.get(tenant)
        if known is None:
            self._tenants[tenant] = (0.0, accelerators, now_ms)
        else:
            self._tenants[tenant] = self._moved(known, accelerators, now_ms)
        self._all = self._moved(self._all, accelerators, now_ms)

    def of(self, tenant: str, now_ms: int) -> float:
        """Decayed accelerator-milliseconds."""
        known = self._tenants.get(tenant)
        return 0.0 if known is None else self._decayed(known, now_ms)

    def excess(self, tenant: str, now_ms: int) -> int:
        """In whole doublings, how far the tenant is above an even share among all who ever had some; 0: it is not."""
        if len(self._tenants) < 2:
            return 0
        if now_ms != self._asked_ms:
            self._asked_ms, self._known = now_ms, {}
        known = self._known.get(tenant)
        if known is None:
            everyone = self._decayed(self._all, now_ms)
            part = self.of(tenant, now_ms) * len(self._tenants) / everyone if everyone > 0 else 0.0
            known = self._known[tenant] = int(log2(part)) if part >= 2 else 0
        return known

    def _moved(self, known: tuple[float, int, int], accelerators: int, now_ms: int) -> tuple[float, int, int]:
        value, rate, since_ms = known
        if now_ms <= since_ms:
            return value, rate + accelerators, since_ms
        kept = exp(-self._decay * (now_ms - since_ms))
        return value * kept + rate / self._decay * (1 - kept), rate + accelerators, now_ms

    def _decayed(self, known: tuple[float, int, int], now_ms: int) -> float:
        return self._moved(known, 0, now_ms)[0]
