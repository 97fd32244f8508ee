"""The chain of the ledger: every transfer carries a hash over itself and the hash of the one before."""

from __future__ import annotations

from hashlib import sha256

import orjson

from petahour.model.usage import Transfer

GENESIS = "0" * 64  # what the first transfer follows


Fields = tuple[object, ...]


def link(previous: str, transfer: Transfer) -> str:
    """The hash of a transfer that follows the one with the hash ``previous``, as 64 hexadecimal digits.

    SHA-256 of the UTF-8 JSON array, without spaces, of the previous hash and the transfer's fields in this
    order: id, kind, debit, credit, amount_micros, currency, at_ms, cause, pending, note, expires_ms. Anybody can
    compute it anew with other tools, so the encoding never changes; another one would be another chain.
    """
    told = (
        *(previous, transfer.id, transfer.kind._value_, transfer.debit, transfer.credit, transfer.amount_micros),
        *(transfer.currency, transfer.at_ms, transfer.cause, transfer.pending, transfer.note, transfer.expires_ms),
    )
    return sha256(orjson.dumps(told)).hexdigest()


def digest(previous: str, fields: Fields) -> str:
    """The same from the bare fields, in that order. ``pending`` is the empty text where there is none."""
    return sha256(orjson.dumps((previous, *fields))).hexdigest()
