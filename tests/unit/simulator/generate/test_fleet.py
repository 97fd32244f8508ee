"""Fleets: their mix, and their file, which reads back as it was written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.model.resources import Node, NodeState
from petahour.simulator.generate import Fleet, fleet_of, read_fleet, read_profile, with_speeds, write_fleet
from petahour.simulator.trace import Trace, TraceJob


def test_a_fleet_has_the_profile_s_shares_of_accelerators() -> None:
    nodes = fleet_of("mixed", 1_000)
    assert len(nodes) == 1_000
    accelerators = Counter[str]()
    for node in nodes:
        accelerators[node.type] += node.accelerators
    for habit in read_profile("mixed").types:
        assert accelerators[habit.name] / accelerators.total() == pytest.approx(habit.fleet_share, abs=0.005)
    assert Counter(node.accelerators for node in nodes).most_common(1)[0][0] == 8


def test_switches_have_sixteen_nodes_of_one_type() -> None:
    by_switch: dict[str, list[Node]] = {}
    for node in fleet_of("mixed", 200):
        by_switch.setdefault(node.switch, []).append(node)
    assert max(len(nodes) for nodes in by_switch.values()) == 16
    assert all(len({node.type for node in nodes}) == 1 for nodes in by_switch.values())


@pytest.mark.parametrize("count", [1, 5, 6, 7, 100])
def test_a_small_fleet_has_the_nodes_asked_for(count: int) -> None:
    nodes = fleet_of("mixed", count)
    assert len(nodes) == count
    assert len({node.name for node in nodes}) == count
    if count >= 6:
        assert len({node.type for node in nodes}) == 6


@pytest.mark.parametrize("count", [0, -1, 100_001, True])
def test_a_fleet_without_a_size_is_refused(count: int) -> None:
    with pytest.raises(ValidationError, match="nodes"):
        fleet_of("mixed", count)


@pytest.mark.parametrize("count", [1, 6, 50, 1_000])
def test_a_profile_s_fleet_reads_back_from_few_groups(tmp_path: Path, count: int) -> None:
    path = tmp_path / "fleet.toml"
    nodes = fleet_of("mixed", count)
    write_fleet(nodes, path)
    assert list(read_fleet(path).nodes) == nodes
    assert path.read_text("utf-8").count("[[node]]") <= 6


def test_a_group_says_little_and_means_much(tmp_path: Path) -> None:
    fleet = _read(
        tmp_path,
        """
        [[node]]
        type = "a100-80g-sxm"
        count = 40
        accelerators = 8
        nodes_per_switch = 16
        speed = 1

        [[node]]
        name = "old"
        type = "v100"
        accelerators = 4
        pool = "attic"
        switch = "leaf-9"
        speed = 0.3
        """,
    )
    assert len(fleet.nodes) == 41
    assert [node.name for node in fleet.nodes[:2]] == ["a100-80g-sxm-0", "a100-80g-sxm-1"]
    assert Counter(node.switch for node in fleet.nodes) == {
        "a100-80g-sxm-switch-0": 16,
        "a100-80g-sxm-switch-1": 16,
        "a100-80g-sxm-switch-2": 8,
        "leaf-9": 1,
    }
    assert fleet.nodes[-1] == Node(
        name="old", pool="attic", engine="simulated", type="v100", accelerators=4, switch="leaf-9"
    )
    assert fleet.speeds == {"a100-80g-sxm": 1.0, "v100": 0.3}


def test_a_live_control_plane_s_file_is_read(tmp_path: Path) -> None:
    fleet = _read(
        tmp_path,
        """
        [[node]]
        name = "a100"
        type = "a100-80g-sxm"
        accelerators = 8
        count = 2
        switch = "leaf-1"
        rehearsal = true
        engine = "local"
        """,
    )
    assert [(node.name, node.pool, node.engine, node.rehearsal) for node in fleet.nodes] == [
        ("a100-0", "rehearsal-a100-80g-sxm", "local", True),
        ("a100-1", "rehearsal-a100-80g-sxm", "local", True),
    ]


GROUP = '[[node]]\ntype = "x"\naccelerators = 8\n'


@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        ("", "fleet.toml: node", "at least one"),
        ("node = 3\n", "fleet.toml: node", "at least one"),
        ("[[nodes]]\n", "fleet.toml: nodes", r"\[\[node\]\]"),
        ("[[node]\n", "fleet.toml", "TOML"),
        ('[[node]]\ntype = "x"\n', "fleet.toml: node 1 (x).accelerators", "must be given"),
        (GROUP + "colour = 1\n", "fleet.toml: node 1 (x).colour", "no such field"),
        (GROUP + "count = 0\n", "fleet.toml: node 1 (x).count", "greater than or equal to 1"),
        (GROUP + 'count = "4"\n', "fleet.toml: node 1 (x).count", "integer"),
        (GROUP + "count = true\n", "fleet.toml: node 1 (x).count", "integer"),
        (GROUP + "speed = nan\n", "fleet.toml: node 1 (x).speed", "greater|finite"),
        (GROUP + "speed = -1.0\n", "fleet.toml: node 1 (x).speed", "greater than 0"),
        (GROUP + 'name = "a b"\n', "fleet.toml: node 1 (a b).name", "letters"),
        (GROUP + 'switch = "s"\nnodes_per_switch = 2\n', "fleet.toml: node 1 (x).nodes_per_switch", "one switch"),
        (GROUP + GROUP, "fleet.toml: node 2 (x).name", "name of its own"),
        (GROUP + "speed = 1\n" + GROUP + 'name = "y"\nspeed = 2\n', "fleet.toml: node 2 (y).speed", "one speed"),
        (
            GROUP + "count = 60_000\n" + GROUP + 'name = "y"\ncount = 60_000\n',
            "fleet.toml: node 2 (y).count",
            "at most 100000",
        ),
    ],
)
def test_a_broken_file_is_refused_by_place(tmp_path: Path, text: str, field: str, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule) as refused:
        _read(tmp_path, text)
    assert refused.value.field == field
    assert refused.value.remedy


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="absent"):
        read_fleet(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    "node",
    [
        Node(name="n", pool="p", engine="e", type="x", accelerators=1, state=NodeState.DOWN),
        Node(name="n", pool="p", engine="e", type="x", accelerators=1, devices=(3,)),
        Node(name="n n", pool="p", engine="e", type="x", accelerators=1),
    ],
)
def test_what_a_file_cannot_say_is_refused_and_nothing_written(tmp_path: Path, node: Node) -> None:
    path = tmp_path / "fleet.toml"
    with pytest.raises(ValidationError):
        write_fleet([node], path)
    with pytest.raises(ValidationError):
        write_fleet(fleet_of("mixed", 3), path, speeds={"abacus": 2.0})
    assert not path.exists()


_NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,8}", fullmatch=True)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_FULL = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)


@st.composite
def _groups(draw: st.DrawFn) -> list[Node]:
    """Nodes as they come: some counted off under a prefix, some alone, switches counted, shared, mixed or none."""
    nodes: dict[str, Node] = {}
    for _ in range(draw(st.integers(1, 4))):
        prefix, kind = draw(_NAMES), draw(_FULL)
        count, per_switch = draw(st.integers(1, 7)), draw(st.integers(1, 4))
        habit = draw(st.sampled_from(["none", "one", "counted", "mixed"]))
        pool = draw(st.just(kind) | _FULL)
        shared, rehearsal = draw(_TEXT), draw(st.booleans())
        for number in range(count):
            counted = f"{prefix}-switch-{number // per_switch}"
            switches = {"none": "", "one": shared, "counted": counted, "mixed": draw(_TEXT)}
            name = draw(st.sampled_from([f"{prefix}-{number}", prefix]))
            nodes[name] = Node(
                name=name,
                pool=pool,
                engine=draw(st.sampled_from(["simulated", "local"])) if number == 0 else "simulated",
                type=kind,
                accelerators=draw(st.sampled_from([8, 8, 8, 4])),
                switch=switches[habit],
                rehearsal=rehearsal,
            )
    return list(nodes.values())


@settings(max_examples=200, deadline=None)
@given(nodes=_groups(), speed=st.floats(1e-6, 1e6))
def test_any_fleet_reads_back_as_it_was_written(nodes: list[Node], speed: float) -> None:
    speeds = {nodes[0].type: speed}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.toml"
        write_fleet(nodes, path, speeds=speeds)
        back = read_fleet(path)
    assert list(back.nodes) == nodes
    assert back.speeds == speeds


def _read(folder: Path, text: str) -> Fleet:
    path = folder / "fleet.toml"
    path.write_text("\n".join(line.strip() for line in text.splitlines()) + "\n", "utf-8")
    return read_fleet(path)


SPEEDS = (
    '[[node]]\ntype = "fast"\naccelerators = 8\nspeed = 2\n[[node]]\ntype = "slow"\naccelerators = 8\nspeed = 0.5\n'
)


@pytest.mark.parametrize(
    ("types", "speeds", "then"),
    [
        ((), (), (("fast", "slow"), (1.0, 0.25))),
        (("slow", "fast"), (), (("slow", "fast"), (1.0, 4.0))),
        (("slow", "gone"), (), (("slow",), (1.0,))),
        (("gone", "slow"), (), (("gone", "slow"), ())),
        (("slow", "fast"), (1.0, 3.0), (("slow", "fast"), (1.0, 3.0))),
    ],
)
def test_jobs_without_speeds_get_the_fleet_s(
    tmp_path: Path, types: tuple[str, ...], speeds: tuple[float, ...], then: tuple[object, object]
) -> None:
    job = TraceJob(row=0, id="a", tenant="t", submit_ms=0, duration_ms=1, accelerators=1, types=types, speeds=speeds)
    got = with_speeds(Trace(name="one", jobs=[job]), _read(tmp_path, SPEEDS)).jobs[0]
    assert (got.types, got.speeds) == then


def test_a_fleet_without_speeds_changes_no_job_and_half_of_them_are_refused(tmp_path: Path) -> None:
    trace = Trace(name="none", jobs=[])
    assert with_speeds(trace, _read(tmp_path, GROUP)) is trace
    with pytest.raises(ValidationError, match="speed of slow"):
        with_speeds(trace, _read(tmp_path, SPEEDS.replace("speed = 0.5", "")))
