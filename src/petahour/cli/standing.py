"""`status`: which replica of the control plane answers, and who leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from petahour.cli.options import AsJson

if TYPE_CHECKING:
    from petahour.client.standing import Standing


def status(as_json: AsJson = False) -> None:
    """Show which replica of the control plane answers, who leads, and how far this one has followed."""
    from petahour.cli.render import show_facts, show_json
    from petahour.cli.session import connect

    with connect() as client:
        found = client.plane.standing()
        url = client.url
    if as_json:
        show_json(found)
    else:
        show_facts(_facts(found, url))


def _facts(found: Standing, url: str) -> list[tuple[str, object]]:
    from petahour.cli.render import instant

    behind = found.last - found.seen
    facts: list[tuple[str, object]] = [("answers", f"{found.replica or 'the control plane'} at {url}")]
    facts.append(("role", ("leader" if found.leads else "follower") if found.replica else "leader, without replicas"))
    facts.append(("followed", f"event {found.seen:,}" + (f", {behind:,} to go" if behind > 0 else ", the last one")))
    lease = found.lease
    if lease is not None:
        left = f"for another {lease.left_ms / 1000:.1f} s" if lease.left_ms > 0 else "EXPIRED: nobody leads"
        facts.append(("leads", f"{lease.holder.name} ({lease.holder.url}), epoch {lease.epoch}"))
        facts.append(("since", instant(lease.taken_ms)))
        facts.append(("lease", left))
        facts.append(("data", lease.holder.site))
    return facts
