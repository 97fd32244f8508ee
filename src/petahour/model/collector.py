"""The cycle collector, kept away from work that makes many values and no cycles."""

from __future__ import annotations

import gc


class CollectorPaused:
    """No collection meanwhile: it would walk all the new values again and again, and all that is kept besides.

    For work that ends soon, or that keeps little of what it makes: what no cycle holds is freed at once all the same.
    A class and no generator: every scheduling pass enters it, and a replay makes tens of thousands a second.
    """

    __slots__ = ("_was_on",)

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()
