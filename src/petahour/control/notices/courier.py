"""The courier: delivers what is in the outbox, again and again until it was received."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import httpx

from petahour.control.context import Context
from petahour.control.notices.mail import MailServer, send
from petahour.control.notices.webhook import post
from petahour.model.errors import PetahourError
from petahour.model.notices import Channel, Notice
from petahour.model.time import SECOND_MS

log = logging.getLogger("petahour.notices")

BATCH = 100
PAUSE_S = 1.0


class Courier:
    """Delivers at least once: a notice counts as sent only after the receiver took it, and is tried until then.

    A crash between the delivery and its record delivers again, under the same id.
    """

    def __init__(self, context: Context, mail: MailServer | None = None) -> None:
        self._context = context
        self._mail = mail
        self._http = httpx.Client(follow_redirects=False)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Deliver in a thread of its own, so that a slow receiver holds up nothing else."""
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """Finish the delivery under way and end."""
        self._closing.set()
        if not self._thread.is_alive():
            self._http.close()
        elif wait:
            self._thread.join()

    def deliver_due(self) -> int:
        """One round: how many were received."""
        now_ms = self._context.clock.now_ms()
        with self._context.store.read() as tx:
            due = tx.notices.due(now_ms, limit=BATCH)
        received = 0
        for notice in due:
            error = self._deliver(notice)
            with self._context.store.write() as tx:
                tx.notices.save(self._after(notice, error))
            received += not error
            if self._closing.is_set():
                break
        return received

    def _deliver(self, notice: Notice) -> str:
        with self._context.store.read() as tx:
            contact = tx.notices.contact(notice.contact)
        if contact is None:
            return "the contact was removed"
        if notice.channel is Channel.EMAIL:
            return send(self._mail, notice) if self._mail else "this control plane has no mail server (--smtp)"
        return post(self._http, notice, contact.secret, self._context.clock.now_ms() // SECOND_MS)

    def _after(self, notice: Notice, error: str) -> Notice:
        now_ms, settings = self._context.clock.now_ms(), self._context.settings
        tries = notice.tries + 1
        if not error:
            return replace(notice, tries=tries, sent_ms=now_ms, error="")
        log.info("%s to %s: %s (try %d)", notice.id, notice.target, error, tries)
        if tries >= settings.notice_tries:
            return replace(notice, tries=tries, failed_ms=now_ms, error=error[:500])
        pause_ms = min(settings.notice_retry_ms * 2 ** (tries - 1), settings.notice_retry_most_ms)
        return replace(notice, tries=tries, due_ms=now_ms + pause_ms, error=error[:500])

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                busy = self.deliver_due() == BATCH
            except PetahourError as error:
                log.warning("deliveries put off: %s", error)
                busy = False
            except Exception:
                log.exception("deliveries failed unexpectedly; trying again")
                busy = False
            if not busy:
                self._closing.wait(PAUSE_S)
        self._http.close()
