"""The crew: engines at rest read and touch nothing, engines at work are made anew each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.engines.harness import await_phase, launch, now_ms

from petahour.engines.crew import AtRest, Crew
from petahour.engines.local.engine import LocalEngine
from petahour.engines.protocol import Engine, Phase
from petahour.model.errors import UnavailableError


def test_what_one_started_the_next_one_ends(tmp_path: Path) -> None:
    home = tmp_path / "engine"

    def make() -> Engine:
        return LocalEngine(home, clock_ms=now_ms)

    leader, follower = (Crew({"local": (AtRest("local", home, nodes=()), make)}) for _ in range(2))
    wanted = launch(tmp_path, "echo begun; while [ ! -e go ]; do sleep 0.01; done; echo done")
    with pytest.raises(UnavailableError, match="the replica that leads"):
        follower["local"].start(wanted)
    leader.take_up()
    leader["local"].start(wanted)
    await_phase(leader["local"], "alloc-1", Phase.RUNNING)
    assert follower["local"].known() == frozenset()
    assert not follower["local"].log("alloc-1", 0, offset=0, limit_bytes=100).complete
    leader.let_go()
    assert isinstance(leader["local"], AtRest)

    woken: list[bool] = []
    follower.subscribe(lambda: woken.append(True))
    follower.take_up()
    assert follower["local"].known() == {"alloc-1"}
    (tmp_path / "go").touch()
    await_phase(follower["local"], "alloc-1", Phase.ENDED)
    assert woken, "its supervisor has found the new listener"
    chunk = leader["local"].log("alloc-1", 0, offset=0, limit_bytes=100)
    assert (chunk.text, chunk.complete) == ("begun\ndone\n", True)
    follower["local"].forget("alloc-1")
    assert leader["local"].log("alloc-1", 0, offset=0, limit_bytes=100).complete
    follower.let_go()


def test_all_go_to_work_or_none(tmp_path: Path) -> None:
    made: list[LocalEngine] = []

    def make() -> Engine:
        made.append(LocalEngine(tmp_path / "one", clock_ms=now_ms))
        return made[-1]

    def fail() -> Engine:
        raise UnavailableError(field="engine", value=None, rule="it answers", remedy="Wait.")

    rest = AtRest("one", tmp_path / "one", nodes=())
    crew = Crew({"one": (rest, make), "two": (AtRest("two", tmp_path / "two", nodes=None), fail)})
    with pytest.raises(UnavailableError):
        crew.take_up()
    assert made
    assert crew["one"] is rest
    assert crew["two"].nodes() is None
