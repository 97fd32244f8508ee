"""The outbox: a notice to every contact of a tenant, in the transaction of what it tells of."""

from __future__ import annotations

import json
from collections.abc import Mapping

from petahour.model.notices import Notice
from petahour.model.time import to_iso
from petahour.store.protocol import Transaction


def tell(
    tx: Transaction,
    tenant: str,
    *,
    cause: str,
    kind: str,
    subject: str,
    text: str,
    facts: Mapping[str, object],
    at_ms: int,
) -> int:
    """Store one notice for each contact; how many are new. The same cause is told to a contact once.

    The body is one JSON object with ``kind``, ``tenant``, ``at``, ``subject``, ``text`` and the facts: a webhook gets
    it as it is, an e-mail its text.
    """
    body = {"kind": kind, "tenant": tenant, "at": to_iso(at_ms), "at_ms": at_ms, "subject": subject, "text": text}
    document = json.dumps({**body, **facts}, ensure_ascii=False, sort_keys=True)
    return sum(
        tx.notices.add(
            Notice(
                id=f"{cause}-{contact.id}",
                tenant=tenant,
                contact=contact.id,
                channel=contact.channel,
                target=contact.target,
                subject=subject,
                body=document,
                created_ms=at_ms,
                due_ms=at_ms,
            )
        )
        for contact in tx.notices.contacts(tenant)
    )
