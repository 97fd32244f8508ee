"""Plain fleets: like nodes of one type behind one switch."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.model.resources import Node

PLAIN_TYPE = "accelerator"
ENGINE = "simulated"


def plain_nodes(count: int, accelerators_per_node: int) -> Sequence[Node]:
    """So many nodes; their names sort in the order of their numbers."""
    digits = len(str(count - 1))
    return [
        Node(
            name=f"node-{number:0{digits}}",
            pool=PLAIN_TYPE,
            engine=ENGINE,
            type=PLAIN_TYPE,
            accelerators=accelerators_per_node,
        )
        for number in range(count)
    ]
