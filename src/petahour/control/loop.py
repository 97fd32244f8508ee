"""The control loop: a thread that steps when woken, at least every tick, and outlives a database's absence."""

from __future__ import annotations

import logging
import threading
import time

from petahour.control.context import Context
from petahour.control.step import Reconciler
from petahour.model.errors import PetahourError, UnavailableError
from petahour.model.time import SECOND_MS

log = logging.getLogger("petahour.control")

MAX_BACKOFF_S = 2.0


class ControlLoop:
    """Drives steps in one thread. ``wake`` is cheap and may be called from any thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reconciler = Reconciler(context)
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-loop", daemon=True)

    def start(self) -> None:
        """Take up what the last process left behind, then run."""
        for engine in self._context.engines.values():
            engine.subscribe(self.wake)
        self._thread.start()

    def wake(self) -> None:
        """Something happened: step soon."""
        self._woken.set()

    def stop(self) -> None:
        """Finish the step under way and end the thread. Jobs run on."""
        self._closing.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        backoff_s = 0.05
        while not self._closing.is_set():
            self._woken.clear()
            try:
                pause_s = self._step()
                backoff_s = 0.05
            except UnavailableError as error:
                log.warning("step put off: %s", error)
                self._reconciler.reset()
                pause_s, backoff_s = backoff_s, min(2 * backoff_s, MAX_BACKOFF_S)
            except PetahourError:
                log.exception("step failed; starting over from the store")
                self._reconciler.reset()
                pause_s, backoff_s = backoff_s, min(2 * backoff_s, MAX_BACKOFF_S)
            except Exception:
                log.exception("step failed unexpectedly; starting over from the store")
                self._reconciler.reset()
                pause_s, backoff_s = backoff_s, min(2 * backoff_s, MAX_BACKOFF_S)
            if not self._closing.is_set():
                self._woken.wait(pause_s)

    def _step(self) -> float:
        """One step; returns how long the loop may then sleep, in seconds.

        A step is followed by a pause in proportion to what it took, so that under a storm of submissions the
        loop leaves most of the core to them and takes them in by the dozen.
        """
        began_s = time.monotonic()
        self._reconciler.step()
        took_s = time.monotonic() - began_s
        tick_s = self._context.settings.tick_ms / SECOND_MS
        self._closing.wait(min(tick_s, took_s * (1 / self._context.settings.loop_share - 1)))
        return 0.0 if self._reconciler.undecided else tick_s
