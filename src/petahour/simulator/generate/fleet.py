"""Fleets: a profile's mix of types on a given number of nodes."""

from __future__ import annotations

import numpy as np

from petahour.model.resources import Node
from petahour.simulator.fleet import ENGINE
from petahour.simulator.generate.draw import apportion
from petahour.simulator.generate.fleet_file import MAX_NODES, node_name, switch_name
from petahour.simulator.generate.options import check_whole
from petahour.simulator.generate.profile import read_profile

SWITCH_NODES = 16


def fleet_of(profile: str, nodes: int) -> list[Node]:
    """That many nodes with the profile's shares of accelerators, as near as whole nodes come; 16 to a switch.

    With as many nodes as types or more, every type that the profile's fleet has is there. Raises ValidationError.
    """
    check_whole("nodes", nodes, 1, MAX_NODES)
    habits = [habit for habit in read_profile(profile).types if habit.fleet_share]
    weights = np.array([habit.fleet_share / habit.node_accelerators for habit in habits])
    counts = apportion(nodes, weights, least=1 if nodes >= len(habits) else 0)
    return [
        Node(
            name=node_name(habit.name, number, count),
            pool=habit.name,
            engine=ENGINE,
            type=habit.name,
            accelerators=habit.node_accelerators,
            switch=switch_name(habit.name, number, SWITCH_NODES),
        )
        for habit, count in zip(habits, counts.tolist(), strict=True)
        for number in range(count)
    ]
