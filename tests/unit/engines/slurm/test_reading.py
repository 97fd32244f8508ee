"""Slurm's JSON as different versions write it."""

from __future__ import annotations

import pytest

from petahour.engines.slurm.reading import errors_of, jobs_of, leaf_switches_of, nodes_of
from petahour.model.errors import UnavailableError

OLD = {
    "job_id": 7, "name": "alloc-x", "comment": "petahour:1:alloc-x", "job_state": "RUNNING", "state_reason": "None",
    "nodes": "n[0-1]", "submit_time": 100, "start_time": 101, "end_time": 200, "restart_cnt": 0,
}  # fmt: skip
NEW = {
    **OLD, "job_state": ["RUNNING"], "submit_time": {"set": True, "infinite": False, "number": 100},
    "comment": {"administrator": "", "job": "petahour:1:alloc-x", "system": ""},
    "start_time": {"set": True, "number": 101}, "end_time": {"set": True, "number": 200},
}  # fmt: skip


def test_both_shapes_say_the_same() -> None:
    assert jobs_of({"jobs": [OLD]}) == jobs_of({"jobs": [NEW]})
    assert jobs_of({"jobs": [OLD]})[0].live


def test_a_number_that_is_not_set_is_none() -> None:
    assert jobs_of({"jobs": [{**OLD, "end_time": {"set": False, "number": 9}}]})[0].end_s == 0


def test_a_job_that_still_completes_is_live() -> None:
    job = jobs_of({"jobs": [{**OLD, "job_state": ["FAILED", "COMPLETING"]}]})[0]
    assert (job.state, job.live) == ("COMPLETING", True)
    assert not jobs_of({"jobs": [{**OLD, "job_state": "NODE_FAIL"}]})[0].live


def test_nodes_with_flags_apart_or_in_the_state() -> None:
    old = {"name": "n0", "address": "a", "state": "mixed", "state_flags": ["DRAIN"], "cpus": 4, "partitions": ["p"]}
    new = {"name": "n0", "address": "a", "state": ["MIXED", "DRAIN"], "cpus": 4, "partitions": ["p"]}
    assert nodes_of({"nodes": [old]}) == nodes_of({"nodes": [new]})
    assert nodes_of({"nodes": [new]})[0].flags == {"DRAIN"}


@pytest.mark.parametrize("answer", [None, [], {}, {"jobs": None}, {"errors": [{"error": "Unspecified error"}]}])
def test_an_answer_that_is_none_is_slurm_being_away(answer: object) -> None:
    with pytest.raises(UnavailableError):
        jobs_of(answer)


def test_errors_in_words() -> None:
    assert errors_of({"errors": [{"description": "no", "error": "why"}, {"error_number": 3}]}) == "no: why; 3"


TREE = """\
SwitchName=leaf-0 Level=0 LinkSpeed=1 Nodes=n[0-1],x0
SwitchName=leaf-1 Level=0 LinkSpeed=1 Nodes=n[02-03]
SwitchName=spine Level=1 LinkSpeed=1 Nodes=n[0-1],n[02-03],x0 Switches=leaf-[0-1]
"""


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("", {}),
        ("There are no topology records available", {}),
        (TREE, {"n0": "leaf-0", "n1": "leaf-0", "x0": "leaf-0", "n02": "leaf-1", "n03": "leaf-1"}),
        ("BlockName=b0 BlockIndex=0 Nodes=a[1-2] BlockSize=2", {"a1": "b0", "a2": "b0"}),
    ],
)
def test_the_switch_above_each_node(text: str, leaves: dict[str, str]) -> None:
    assert leaf_switches_of(text) == leaves
