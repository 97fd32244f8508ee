"""Quoted prices: a job that was submitted under a quote is priced by its book, whatever is in force meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.control.audit.stream.picture import Fault, Picture
from petahour.model.events import Event, EventKind

_PROMISED = "a job is placed under the price book that its quote promised"


def quoted_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    job = picture.jobs.get(event.job or "")
    if event.kind is not EventKind.JOB_PLACED or job is None or job.attempts:
        return
    promise = job.terms.get("promise")
    if promise and event.data["price_book"] != promise["price_book"]:
        book = event.data["price_book"]
        yield _PROMISED, f"{event.allocation} is under {book}, {promise['quote']} promised {promise['price_book']}"
