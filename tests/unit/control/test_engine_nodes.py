"""Who is right about a node: its engine about failures and its own drains, the control plane about its operators."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petahour.control.engine_nodes import NO_LONGER_THERE, Agreement, agreement
from petahour.model.resources import Node, NodeState

UP, DRAINING, DOWN = NodeState.UP, NodeState.DRAINING, NodeState.DOWN
NODE = Node(name="n0", pool="slurm-a100", engine="slurm", type="a100-80g-sxm", accelerators=8)


def _agree(stored: tuple[NodeState, str], said: tuple[NodeState, str]) -> Agreement:
    known = replace(NODE, state=stored[0], reason=stored[1])
    return agreement({"n0": known}, [replace(NODE, state=said[0], reason=said[1])], "slurm")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ((UP, ""), (UP, "")),
        ((DRAINING, "disk"), (DRAINING, "petahour: disk")),
        ((DRAINING, "disk"), (DRAINING, "engine: bad fan")),
        ((DOWN, "engine: no answer"), (DOWN, "engine: no answer")),
    ],
)
def test_what_agrees_is_left_alone(stored: tuple[NodeState, str], said: tuple[NodeState, str]) -> None:
    assert _agree(stored, said) == Agreement()


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ((UP, ""), (DOWN, "engine: no answer")),
        ((UP, ""), (DRAINING, "engine: bad fan")),
        ((DRAINING, "engine: bad fan"), (UP, "")),
        ((DOWN, "engine: no answer"), (UP, "")),
        ((DOWN, "engine: no answer"), (DRAINING, "petahour: disk")),
        ((DRAINING, "disk"), (DOWN, "engine: no answer")),
    ],
)
def test_the_engine_is_right_about_failures_and_its_own_drains(
    stored: tuple[NodeState, str], said: tuple[NodeState, str]
) -> None:
    found = _agree(stored, said)
    assert [(node.state, node.reason) for node in found.changed] == [said]
    assert (found.drain, found.resume) == ((), ())


def test_an_operators_drain_and_resume_are_passed_on() -> None:
    assert _agree((DRAINING, "disk"), (UP, "")) == Agreement(drain=(("n0", "disk"),))
    assert _agree((UP, ""), (DRAINING, "petahour: disk")) == Agreement(resume=("n0",))


def test_new_nodes_are_added_and_missing_ones_go_down() -> None:
    other = replace(NODE, name="n1")
    assert agreement({}, [NODE], "slurm") == Agreement(new=(NODE,))
    assert agreement({"n0": NODE}, [replace(NODE, accelerators=4)], "slurm").new == (replace(NODE, accelerators=4),)
    gone = replace(NODE, state=DOWN, reason=NO_LONGER_THERE)
    assert agreement({"n0": NODE, "n1": other}, [other], "slurm") == Agreement(changed=(gone,))


def test_nodes_of_another_engine_are_none_of_its_business() -> None:
    local = replace(NODE, engine="local")
    assert agreement({"n0": local, "host": replace(local, name="host")}, [NODE], "slurm") == Agreement()
