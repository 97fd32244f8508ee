"""From Slurm's nodes and GRES to nodes of the catalogue's types."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petahour.engines.slurm.gres import Gres, discover, gres_of, state_of
from petahour.engines.slurm.reading import SlurmNode
from petahour.engines.slurm.settings import SlurmSettings
from petahour.model.resources import NodeState

HOST = SlurmNode(
    name="n0", address="10.0.0.1", state="IDLE", flags=frozenset(), reason="", gres="gpu:a100:8(S:0-1)", cpus=64,
    memory_mb=512_000, partitions=("ai",),
)  # fmt: skip
SETTINGS = SlurmSettings(partition="ai", gres={"gpu:a100": "a100-80g-sxm", "gpu:l40": "l40", "npu": "ascend-910b3"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("(null)", []),
        ("gpu:8", [Gres(name="gpu", type="", count=8, first=0)]),
        ("gpu:a100:8(S:0-1,3)", [Gres(name="gpu", type="a100", count=8, first=0)]),
        ("gpu:a100", [Gres(name="gpu", type="a100", count=1, first=0)]),
        (
            "gpu:h100:4,gpu:l40:4(S:1),npu:910b3:2",
            [
                Gres(name="gpu", type="h100", count=4, first=0),
                Gres(name="gpu", type="l40", count=4, first=4),
                Gres(name="npu", type="910b3", count=2, first=0),
            ],
        ),
    ],
)
def test_gres_as_slurm_writes_them(text: str, found: list[Gres]) -> None:
    assert list(gres_of(text)) == found


def test_a_host_of_one_type_is_a_node_of_its_name() -> None:
    made = discover([HOST, replace(HOST, name="other", partitions=("debug",))], SETTINGS, "slurm")
    assert [(node.name, node.type, node.accelerators, node.pool) for node in made.nodes] == [
        ("n0", "a100-80g-sxm", 8, "slurm-a100-80g-sxm")
    ]
    place = made.places["n0"]
    assert (place.node, place.gres, place.cpus_each, place.memory_mb_each) == ("n0", "gpu:a100", 8, 64_000)


def test_a_host_of_two_types_is_two_nodes_and_the_second_knows_its_device_numbers() -> None:
    made = discover([replace(HOST, gres="gpu:a100:4,gpu:l40:2,gpu:v100:1,npu:910b3:1")], SETTINGS, "slurm")
    assert [(node.name, node.devices) for node in made.nodes] == [
        ("n0-a100-80g-sxm", ()),
        ("n0-l40", (4, 5)),
        ("n0-ascend-910b3", ()),
    ]
    assert {place.node for place in made.places.values()} == {"n0"}
    assert made.places["n0-ascend-910b3"].gres == "npu:910b3"
    assert made.unmapped == ("gpu:v100",)


def test_cpus_are_rented_where_the_table_says_so() -> None:
    settings = replace(SETTINGS, gres={"cpu": "cpu"})
    made = discover([replace(HOST, gres="")], settings, "slurm")
    assert [(node.type, node.accelerators) for node in made.nodes] == [("cpu", 64)]
    assert made.places["n0"].gres is None


@pytest.mark.parametrize(
    ("state", "flags", "reason", "found"),
    [
        ("IDLE", (), "", (NodeState.UP, "")),
        ("ALLOCATED", (), "", (NodeState.UP, "")),
        ("IDLE", ("DRAIN",), "bad fan", (NodeState.DRAINING, "engine: bad fan")),
        ("MIXED", ("DRAIN",), "petahour: disk", (NodeState.DRAINING, "petahour: disk")),
        ("IDLE", ("NOT_RESPONDING",), "", (NodeState.DRAINING, "engine: not responding")),
        ("DOWN", ("NOT_RESPONDING",), "Not responding", (NodeState.DOWN, "engine: Not responding")),
        ("UNKNOWN", (), "", (NodeState.DOWN, "engine: unknown")),
    ],
)
def test_states_and_reasons(state: str, flags: tuple[str, ...], reason: str, found: tuple[NodeState, str]) -> None:
    assert state_of(replace(HOST, state=state, flags=frozenset(flags), reason=reason)) == found


def test_a_hosts_switch_is_its_nodes() -> None:
    two = replace(HOST, name="n1", gres="gpu:a100:4,gpu:l40:4")
    made = discover([HOST, two], SETTINGS, "slurm", {"n0": "leaf-0", "n1": "leaf-1"})
    assert {node.name: node.switch for node in made.nodes} == {
        "n0": "leaf-0", "n1-a100-80g-sxm": "leaf-1", "n1-l40": "leaf-1",
    }  # fmt: skip
    assert {name: (place.accelerators, place.whole) for name, place in made.places.items()} == {
        "n0": (8, True), "n1-a100-80g-sxm": (4, False), "n1-l40": (4, False),
    }  # fmt: skip
