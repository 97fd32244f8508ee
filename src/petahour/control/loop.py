"""The control loop: a thread that steps when woken, at least every tick, and outlives a database's absence.

Where another replica leads it only looks on; where this one comes to lead, it takes up the duty and steps.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from petahour.control.context import Context
from petahour.control.duty import Duty
from petahour.control.leadership import Leadership
from petahour.control.onlooker import Onlooker
from petahour.control.step import Reconciler
from petahour.model.errors import NotLeaderError, PetahourError, UnavailableError
from petahour.model.time import SECOND_MS

log = logging.getLogger("petahour.control")

MAX_BACKOFF_S = 2.0
FIRST_BACKOFF_S = 0.05


class ControlLoop:
    """Drives steps in one thread. ``wake`` is cheap and may be called from any thread."""

    def __init__(self, context: Context, leadership: Leadership, duty: Duty) -> None:
        self._context = context
        self._leadership = leadership
        self._duty = duty
        self._epoch: int | None = None
        self._reconciler: Reconciler | None = None
        self._onlooker = Onlooker(context)
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-loop", daemon=True)

    def start(self) -> None:
        """Run."""
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
        self._lay_down(wait=True)

    def take_stock(self) -> None:
        """Take up or lay down the duty, where this process came to lead or ceased to.

        Raises what a start may: then nothing was taken up, and the lead is left to others.
        """
        epoch = self._leadership.epoch
        if epoch == self._epoch:
            return
        self._lay_down()
        if epoch is None:
            return
        led = replace(self._context, store=self._leadership.fenced(self._context.store, epoch))
        try:
            self._duty.take_up(led)
        except UnavailableError:
            self._duty.lay_down()
            raise
        except BaseException:
            self._duty.lay_down()
            self._leadership.give_up()
            raise
        self._reconciler = Reconciler(led, acts=self._leadership.holds)
        self._epoch = epoch

    def _lay_down(self, *, wait: bool = False) -> None:
        if self._reconciler is not None:
            self._reconciler, self._epoch = None, None
            self._duty.lay_down(wait=wait)
            self._context.live.forget()

    def _run(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._closing.is_set():
            self._woken.clear()
            try:
                pause_s = self._round()
                backoff_s = FIRST_BACKOFF_S
            except NotLeaderError as error:
                log.warning("step given up: %s", error.rule)
                pause_s = FIRST_BACKOFF_S
            except Exception as error:
                if isinstance(error, UnavailableError):
                    log.warning("step put off: %s", error)
                elif isinstance(error, PetahourError):
                    log.exception("step failed; starting over from the store")
                else:
                    log.exception("step failed unexpectedly; starting over from the store")
                self._reset()
                pause_s, backoff_s = backoff_s, min(2 * backoff_s, MAX_BACKOFF_S)
            if not self._closing.is_set():
                self._woken.wait(pause_s)

    def _reset(self) -> None:
        if self._reconciler is None:
            self._context.live.forget()
        else:
            self._reconciler.reset()

    def _round(self) -> float:
        """One step, or one look; returns how long the loop may then sleep, in seconds."""
        self.take_stock()
        tick_s = self._context.settings.tick_ms / SECOND_MS
        began_s = time.monotonic()
        if self._reconciler is None:
            self._onlooker.look()
            self._duty.keep_time(self._context.live.latest_ms)
        else:
            self._duty.deliver()
            self._reconciler.step()
        # A step is followed by a pause in proportion to what it took, so that under a storm of submissions the loop
        # leaves most of the core to them and takes them in by the dozen.
        took_s = time.monotonic() - began_s
        self._closing.wait(min(tick_s, took_s * (1 / self._context.settings.loop_share - 1)))
        return 0.0 if self._reconciler is not None and self._reconciler.undecided else tick_s
