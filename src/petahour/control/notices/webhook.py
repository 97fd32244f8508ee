"""Webhooks: an HTTP POST signed so that the receiver can tell it from a forgery and from a replay."""

from __future__ import annotations

import hashlib
import hmac

import httpx

from petahour.model.notices import Notice

TIMEOUT_S = 10.0
MAX_AGE_S = 300


def sign(secret: str, body: bytes, at_s: int) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 of ``SECONDS.BODY`` under the contact's secret."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def verified(secret: str, body: bytes, signature: str, now_s: int) -> bool:
    """What a receiver does: the signature is the contact's, of this body, and not older than five minutes."""
    fields = dict(part.partition("=")[::2] for part in signature.split(","))
    stamp = fields.get("t", "")
    if not stamp.isdecimal() or abs(now_s - int(stamp)) > MAX_AGE_S:
        return False
    return hmac.compare_digest(sign(secret, body, int(stamp)), signature)


def post(client: httpx.Client, notice: Notice, secret: str, at_s: int) -> str:
    """Deliver; an empty text, or what went wrong. Only an answer 2xx counts as received."""
    body = notice.body.encode()
    headers = {
        "Content-Type": "application/json",
        "Petahour-Delivery": notice.id,
        "Petahour-Signature": sign(secret, body, at_s),
    }
    try:
        answer = client.post(notice.target, content=body, headers=headers, timeout=TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"the receiver answered {answer.status_code}"
