"""The local engine: what it promises when processes and files are tampered with."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.integration.engines.harness import await_phase, launch, now_ms, output, until

from petahour.engines.local import supervisor
from petahour.engines.local.engine import LocalEngine
from petahour.engines.protocol import Phase
from petahour.model.allocations import EndKind
from petahour.model.errors import UnavailableError
from petahour.model.resources import Slot


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "engine"


@pytest.fixture
def engine(home: Path) -> Iterator[LocalEngine]:
    made = LocalEngine(home, clock_ms=now_ms)
    yield made
    for name in made.known():
        made.stop(name, signal="SIGKILL", grace_ms=0)
        until(lambda name=name: _over(made, name), f"{name} to end")  # type: ignore[misc]
    made.close()


def _over(engine: LocalEngine, name: str) -> bool:
    return all(one.phase is Phase.ENDED for one in engine.poll(full=True) if one.allocation == name)


def _zombies(before: set[int]) -> set[int]:
    """Dead children of this process that nobody reaped, without those that were born before."""
    born = [one for one in psutil.Process().children() if one.pid not in before]
    return {one.pid for one in born if one.is_running() and one.status() == psutil.STATUS_ZOMBIE}


def _status(home: Path, rank: int = 0, name: str = "alloc-1") -> dict[str, object]:
    status = supervisor.read_status(str(home / "allocations" / name / f"rank-{rank}"))
    assert status is not None
    return status


def test_a_killed_rank_fails_and_a_killed_supervisor_is_lost(engine: LocalEngine, home: Path, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "sleep 60"))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    os.kill(_status(home)["rank"][0], signal.SIGKILL)  # type: ignore[index]
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.message) == (EndKind.FAILED, "rank 0 was killed by SIGKILL")
    engine.start(launch(tmp_path, "sleep 60", name="alloc-2"))
    await_phase(engine, "alloc-2", Phase.RUNNING)
    rank = psutil.Process(_status(home, name="alloc-2")["rank"][0])  # type: ignore[index]
    os.kill(_status(home, name="alloc-2")["supervisor"][0], signal.SIGKILL)  # type: ignore[index]
    assert await_phase(engine, "alloc-2", Phase.ENDED).end_kind is EndKind.LOST
    until(lambda: not rank.is_running() or rank.status() == psutil.STATUS_ZOMBIE, "the rank to be gone")


METER = """
import signal, sys, time
def stop(*_):
    print("petahour: power 1.0 W over 1.0 s by test, told at", time.time_ns() // 1_000_000, flush=True)
    time.sleep(0.1)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
signal.pause()
"""


def test_a_meter_beside_the_first_rank_has_the_last_word_and_no_time(
    engine: LocalEngine, home: Path, tmp_path: Path
) -> None:
    slots = (Slot(node="n1", indexes=(0, 1)),)
    engine.start(launch(tmp_path, "echo worked; sleep 0.2", slots=slots, meter=("-c", METER)))
    await_phase(engine, "alloc-1", Phase.ENDED)
    lines = output(engine, "alloc-1").splitlines()
    assert lines[0] == "worked"
    assert lines[1].startswith("petahour: power")
    ended_ms = _status(home)["ended_ms"]
    assert isinstance(ended_ms, int)
    assert ended_ms <= int(lines[1].split()[-1])
    assert output(engine, "alloc-1", 1).splitlines() == ["worked"]


def test_a_meter_that_is_deaf_or_cannot_start_keeps_no_rank(engine: LocalEngine, tmp_path: Path) -> None:
    for name, meter in (("alloc-1", ("-c", "import time; time.sleep(600)")), ("alloc-2", ("-m", "no.such.module"))):
        engine.start(launch(tmp_path, "echo worked", name=name, meter=meter))
        report = await_phase(engine, name, Phase.ENDED)
        assert (report.end_kind, report.exit_code) == (EndKind.SUCCEEDED, 0)
        assert output(engine, name) == "worked\n"
    left = [
        one for one in psutil.process_iter(["cmdline"]) if "time.sleep(600)" in " ".join(one.info["cmdline"] or ())
    ]
    assert left == []


def test_a_killed_owner_loses_nothing_and_the_next_engine_adopts(home: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[3]);"
        "from tests.integration.engines.harness import launch, now_ms;"
        "from petahour.engines.local.engine import LocalEngine;"
        "LocalEngine(Path(sys.argv[1]), clock_ms=now_ms).start(launch(Path(sys.argv[2]), 'sleep 0.8; echo whole'));"
        "time.sleep(60)"
    )
    root = str(Path(__file__).parents[3])
    owner = subprocess.Popen([sys.executable, "-c", program, str(home), str(tmp_path), root])
    place = str(home / "allocations" / "alloc-1" / "rank-0")
    until(lambda: supervisor.read_status(place) is not None, "the rank's supervisor to start")
    owner.kill()
    owner.wait()
    engine = LocalEngine(home, clock_ms=now_ms)
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert report.end_kind is EndKind.SUCCEEDED
    assert output(engine, "alloc-1") == "whole\n"
    engine.close()


def test_the_walltime_holds_while_no_engine_exists(home: Path, tmp_path: Path) -> None:
    engine = LocalEngine(home, clock_ms=now_ms)
    engine.start(launch(tmp_path, "sleep 60", walltime_ms=400))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    engine.close()
    until(lambda: _status(home)["phase"] == "ended", "the supervisor to end it")
    again = LocalEngine(home, clock_ms=now_ms)
    assert await_phase(again, "alloc-1", Phase.ENDED).end_kind is EndKind.WALLTIME
    again.close()


def test_a_pid_alone_is_not_believed(home: Path, tmp_path: Path) -> None:
    """A supervisor of another start time, or of another boot, is another process: the rank is lost, not adopted."""
    engine = LocalEngine(home, clock_ms=now_ms)
    engine.start(launch(tmp_path, "sleep 60"))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    status = _status(home)
    pid, started = status["supervisor"]  # type: ignore[misc]
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.start_time(pid) is None, "the supervisor to be gone")
    engine.close()
    for lie in ({"supervisor": [os.getpid(), started]}, {"boot": "another", "supervisor": [os.getpid(), None]}):
        place = home / "allocations" / "alloc-1" / "rank-0"
        descriptor = supervisor.make_status(str(place))
        supervisor.write_status(descriptor, {**status, **lie})
        os.close(descriptor)
        again = LocalEngine(home, clock_ms=now_ms)
        assert await_phase(again, "alloc-1", Phase.ENDED).end_kind is EndKind.LOST
        again.close()


def test_children_that_slipped_away_are_gone_when_the_end_is_reported(engine: LocalEngine, tmp_path: Path) -> None:
    engine.start(
        launch(tmp_path, "setsid sh -c 'echo $$ > child; sleep 60' & while [ ! -s child ]; do sleep 0.01; done")
    )
    await_phase(engine, "alloc-1", Phase.ENDED)
    assert supervisor.start_time(int((tmp_path / "child").read_text())) is None


def test_output_stops_at_its_limit_and_the_rank_does_not(engine: LocalEngine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "head -c 300000 /dev/zero | tr '\\0' x; touch done", log_limit_bytes=1000))
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    text = output(engine, "alloc-1")
    assert text.startswith("x" * 1000 + "\n[299000 bytes of output dropped")
    assert (tmp_path / "done").exists()


def test_a_rank_sees_none_of_the_control_planes_variables(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PETAHOUR_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    engine.start(launch(tmp_path, "env"))
    await_phase(engine, "alloc-1", Phase.ENDED)
    assert "secret" not in output(engine, "alloc-1")
    assert "CUDA_VISIBLE_DEVICES" not in output(engine, "alloc-1")


def test_cpu_ranks_are_pinned_to_their_core(engine: LocalEngine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "nproc; grep Cpus_allowed_list /proc/self/status", cpu_affinity=True))
    await_phase(engine, "alloc-1", Phase.ENDED)
    assert output(engine, "alloc-1").startswith("1\n")


def test_two_supervisors_of_one_rank_start_it_once_and_none_stays_a_zombie(
    engine: LocalEngine, home: Path, tmp_path: Path
) -> None:
    # A supervisor that another test's closed engine left to itself may die at any time: it is not this one's.
    before = {one.pid for one in psutil.Process().children()}
    engine.start(launch(tmp_path, "echo run >> runs; sleep 0.5"))
    place = home / "allocations" / "alloc-1" / "rank-0"
    for _ in range(3):
        command = [sys.executable, "-I", "-S", supervisor.__file__, str(place)]
        assert subprocess.run(command, timeout=10).returncode == 0
    await_phase(engine, "alloc-1", Phase.ENDED)
    assert (tmp_path / "runs").read_text() == "run\n"

    def none_left() -> bool:
        engine.poll()
        return not _zombies(before)

    until(none_left, "every supervisor to be reaped")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_crash_between_the_starts_of_two_ranks_leaves_none_behind(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    started: list[object] = []

    def only_one(self: LocalEngine, allocation: str, gang: object, rank: int) -> None:
        if started:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        started.append(rank)
        spawn_rank(self, allocation, gang, rank)  # type: ignore[arg-type]

    spawn_rank = LocalEngine._spawn_rank
    asked = launch(tmp_path, "echo $RANK >> ran", slots=[Slot(node="n0", indexes=(0, 1))])
    before = LocalEngine(home, clock_ms=now_ms)
    with monkeypatch.context() as patch:
        patch.setattr(LocalEngine, "_spawn_rank", only_one)
        with pytest.raises(UnavailableError):
            before.start(asked)
        until(lambda: (tmp_path / "ran").exists(), "the first rank to run")
        before.close()
    engine = LocalEngine(home, clock_ms=now_ms)
    assert {one.phase for one in engine.poll(full=True)} == {Phase.STARTING}
    if stopped:
        engine.stop("alloc-1", signal="SIGTERM", grace_ms=100)
    else:
        engine.start(asked)
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert report.end_kind is (EndKind.STOPPED if stopped else EndKind.SUCCEEDED)
    assert sorted((tmp_path / "ran").read_text().split()) == (["0"] if stopped else ["0", "1"])
    engine.close()


def test_what_was_half_written_at_a_crash_is_cleared_away(home: Path) -> None:
    half = home / "allocations" / "alloc-9" / "rank-0"
    half.mkdir(parents=True)
    (half / "launch.json").write_text(json.dumps({}))
    engine = LocalEngine(home, clock_ms=now_ms)
    assert engine.known() == frozenset()
    assert not half.exists()
    engine.close()
