"""What the node's agent reads of Slurm."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from petahour.engines.local import supervisor
from petahour.engines.slurm import hostlist


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module; on a node the supervisor's file lies beside it."""
    path = Path(supervisor.__file__).parents[1] / "slurm" / "agent.py"
    monkeypatch.setitem(sys.modules, "supervisor", supervisor)
    monkeypatch.setitem(sys.modules, "hostlist", hostlist)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("petahour_agent", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n0", ["n0"]),
        ("n[0-2]", ["n0", "n1", "n2"]),
        ("n[08-10,12],m1", ["n08", "n09", "n10", "n12", "m1"]),
        ("a,b[1]", ["a", "b1"]),
    ],
)
def test_host_lists(text: str, names: list[str]) -> None:
    assert hostlist.expand(text) == names


def test_devices_that_a_job_holds_on_a_node(agent: ModuleType) -> None:
    text = (
        "   Nodes=n[0-1] CPU_IDs=0-15 Mem=128000 GRES=gpu:a100:3(IDX:0-1,5)\n"
        "   Nodes=n2 CPU_IDs=0-15 Mem=128000 GRES=gpu:a100:2(IDX:3,6)\n"
    )
    assert agent.devices_of(text, "n1") == ["0", "1", "5"]
    assert agent.devices_of(text, "n2") == ["3", "6"]
    assert agent.devices_of(text, "n3") == []
