"""Drains from files: what is read, and that every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from petahour.model.errors import ValidationError
from petahour.simulator.drains import Drain, check_drains, read_drains
from petahour.simulator.generate import read_fleet

GOOD = '[[drain]]\nnodes = ["a-*"]\nfrom = "2d"\nuntil = "2d6h"\n'
HOUR_MS = 3_600_000


def write(tmp_path: Path, text: str, name: str = "drains.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_drains_and_windows_are_read(tmp_path: Path) -> None:
    window = '[[drain]]\nnodes = ["b"]\nfrom = 90\nuntil = "2h"\nmaintenance = true\nnotice = "30s"\n'
    found = read_drains(write(tmp_path, GOOD + window))
    assert found == (
        Drain(nodes=("a-*",), from_ms=48 * HOUR_MS, until_ms=54 * HOUR_MS, named="drains.toml: drain 1"),
        Drain(
            nodes=("b",),
            from_ms=90_000,
            until_ms=2 * HOUR_MS,
            maintenance=True,
            notice_ms=30_000,
            named="drains.toml: drain 2",
        ),
    )
    assert found[0].covers("a-7")
    assert not found[0].covers("b-7")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("2d6h", "1d"), "drain 1.until: after its beginning"),
        (("until", "to"), "drain 1.until: must be given"),
        (('"2d"', '"soon"'), "drain 1.from: a duration"),
        (('["a-*"]', "[]"), "drain 1.nodes"),
        (('["a-*"]', '"a"'), "drain 1.nodes"),
        (("from =", "notice = 5\nfrom ="), "drain 1.notice: a drain without maintenance stops nobody"),
        (("[[drain]]", "[[node]]"), "drains.toml: node: a file of [[drain]] tables alone"),
        (("[[drain]]", "[[drain"), "a readable TOML file"),
        (("[[drain]]", "[drain]"), "drains.toml: drain"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_drains(write(tmp_path, GOOD.replace(*change)))
    assert said in str(caught.value)


def test_a_file_without_drains_and_no_file_are_refused(tmp_path: Path) -> None:
    for path in (write(tmp_path, ""), tmp_path / "none.toml"):
        with pytest.raises(ValidationError):
            read_drains(path)


def test_a_fleet_file_may_plan_them_and_they_are_of_its_nodes(tmp_path: Path) -> None:
    fleet = '[[node]]\nname = "a"\ntype = "a10"\ncount = 2\naccelerators = 4\n'
    known = read_fleet(write(tmp_path, fleet + GOOD, "fleet.toml"))
    assert [drain.nodes for drain in known.drains] == [("a-*",)]
    with pytest.raises(ValidationError, match=r"drain 1\.nodes"):
        read_fleet(write(tmp_path, fleet + GOOD.replace("a-*", "c-*"), "fleet.toml"))
    with pytest.raises(ValidationError, match=r"the name of a node of the fleet"):
        check_drains(known.drains, ["b-0"])
