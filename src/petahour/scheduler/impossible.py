"""Impossible: what no state of this fleet could ever run, with the limit and what would fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from petahour.model.errors import ImpossibleError
from petahour.model.jobs import JobSpec, Tier
from petahour.model.resources import Node, Switch
from petahour.model.tenants import Quota


def why_impossible(
    spec: JobSpec,
    nodes: Iterable[Node],
    quotas: Mapping[tuple[str, str], Quota],
    tenant: str,
    promised: Mapping[str, int] | None = None,
) -> ImpossibleError | None:
    """None when some type could run the gang if all its nodes were up and free; else the error to answer with.

    ``promised``: accelerators by type of the tenant's reservations that are not over.
    """
    fleet = list(nodes)
    reasons = [
        _fleet_limit(spec, name, fleet) or _quota_limit(spec, name, quotas, tenant, promised or {})
        for name in spec.types
    ]
    if any(reason is None for reason in reasons):
        return None
    rule, remedy = next(reason for reason in reasons if reason is not None)
    if len(reasons) > 1:
        rule = "; ".join(reason[0] for reason in reasons if reason is not None)
    return ImpossibleError(field="gang", value=f"{spec.gang} of {' or '.join(spec.types)}", rule=rule, remedy=remedy)


def _fleet_limit(spec: JobSpec, type_name: str, nodes: list[Node]) -> tuple[str, str] | None:
    need = spec.gang
    pools: dict[tuple[str, bool], list[int]] = {}
    switches: dict[tuple[str, bool, str], int] = {}
    for node in nodes:
        if node.type == type_name:
            pools.setdefault((node.pool, node.rehearsal), []).append(node.accelerators)
            if node.accelerators >= need.accelerators_per_node:
                leaf = (node.pool, node.rehearsal, node.switch)
                switches[leaf] = switches.get(leaf, 0) + 1
    if not pools:
        here = ", ".join(sorted({node.type for node in nodes})) or "none"
        return f"this fleet has no {type_name}", f"Types here: {here}."
    fitting = max(sum(1 for size in sizes if size >= need.accelerators_per_node) for sizes in pools.values())
    if fitting >= need.nodes:
        if need.switch is not Switch.REQUIRED or max(switches.values()) >= need.nodes:
            return None
        most = f"no switch has more than {max(switches.values())} nodes with {need.accelerators_per_node} {type_name}"
        return (
            f"{most}, the gang wants {need.nodes} under one",
            'Ask for fewer nodes, or let the gang span switches: gang.switch = "preferred".',
        )
    width = max(max(sizes) for sizes in pools.values())
    if need.accelerators_per_node > width:
        return (
            f"a node has at most {width} {type_name}, the gang asks for {need.accelerators_per_node} per node",
            f"Ask for at most {width} accelerators per node, and more nodes.",
        )
    return (
        f"{fitting} nodes of one pool have {need.accelerators_per_node} {type_name}, the gang wants {need.nodes}",
        f"The largest gang of this width here is {fitting} x {need.accelerators_per_node}.",
    )


def _quota_limit(
    spec: JobSpec, type_name: str, quotas: Mapping[tuple[str, str], Quota], tenant: str, promised: Mapping[str, int]
) -> tuple[str, str] | None:
    quota = quotas.get((tenant, type_name))
    if spec.tier is Tier.RESERVED and spec.gang.accelerators <= promised.get(type_name, 0):
        return None
    nominal = quota.nominal if quota else 0
    if spec.tier is Tier.RESERVED and spec.gang.accelerators > nominal:
        lies = f"reserved work lies within a reservation, or the quota of {nominal} {type_name}"
        return (
            f"{lies}; the gang wants {spec.gang.accelerators}",
            "Ask for a smaller gang, use the on-demand tier, or ask the operator for a reservation or more quota.",
        )
    if quota is None or quota.borrowing_limit is None:
        return None
    most = quota.nominal + quota.borrowing_limit
    if spec.gang.accelerators <= most:
        return None
    return (
        f"the quota allows {most} {type_name} with borrowing, the gang asks for {spec.gang.accelerators}",
        f"Ask for at most {most}, or ask the operator for a larger quota.",
    )
