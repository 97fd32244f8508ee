"""What every engine does, whichever it is: the fixture ``engine`` gives one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.engines.harness import await_phase, launch, output, until

from petahour.engines.protocol import Engine, Phase
from petahour.model.allocations import EndKind
from petahour.model.errors import NotFoundError
from petahour.model.resources import Slot

GANG = (Slot(node="n0", indexes=(0, 2)), Slot(node="n1", indexes=(1, 3)))


def test_a_gang_runs_and_its_end_is_reported_once(engine: Engine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "echo hello; sleep 0.1"))
    running = await_phase(engine, "alloc-1", Phase.RUNNING)
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.exit_code) == (EndKind.SUCCEEDED, 0)
    assert running.started_ms == report.started_ms
    assert report.started_ms is not None
    assert report.ended_ms is not None
    assert report.started_ms + 100 <= report.ended_ms
    assert output(engine, "alloc-1") == "hello\n"
    assert engine.poll() == []
    assert [one.phase for one in engine.poll(full=True)] == [Phase.ENDED]


def test_starting_again_starts_nothing(engine: Engine, tmp_path: Path) -> None:
    wanted = launch(tmp_path, "echo run >> runs; sleep 0.2")
    engine.start(wanted)
    engine.start(wanted)
    await_phase(engine, "alloc-1", Phase.ENDED)
    engine.start(wanted)
    assert (tmp_path / "runs").read_text() == "run\n"
    assert engine.known() == {"alloc-1"}


def test_every_rank_finds_its_place(engine: Engine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "env | sort", slots=GANG, checkpoint_dir=str(tmp_path / "ck")))
    await_phase(engine, "alloc-1", Phase.ENDED)
    ranks = [dict(line.split("=", 1) for line in output(engine, "alloc-1", rank).splitlines()) for rank in range(4)]
    assert [rank["RANK"] for rank in ranks] == ["0", "1", "2", "3"]
    assert [rank["LOCAL_RANK"] for rank in ranks] == ["0", "1", "0", "1"]
    assert [rank["NODE_RANK"] for rank in ranks] == ["0", "0", "1", "1"]
    assert [rank["VISIBLE"] for rank in ranks] == ["0,2", "0,2", "1,3", "1,3"]
    assert [rank["PETAHOUR_NODE"] for rank in ranks] == ["n0", "n0", "n1", "n1"]
    for name, value in {
        "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MINE": "yes", "PETAHOUR_JOB_ID": "job-1",
        "PETAHOUR_ALLOCATION_ID": "alloc-1", "PETAHOUR_ATTEMPT": "1", "PETAHOUR_TENANT": "acme",
        "PETAHOUR_ACCELERATOR_TYPE": "a100-80g-sxm", "PETAHOUR_REHEARSAL": "1",
        "PETAHOUR_CHECKPOINT_DIR": str(tmp_path / "ck"),
    }.items():  # fmt: skip
        assert {rank[name] for rank in ranks} == {value}
    assert len({(rank["MASTER_ADDR"], rank["MASTER_PORT"]) for rank in ranks}) == 1
    with pytest.raises(NotFoundError):
        engine.log("alloc-1", 4, offset=0, limit_bytes=10)


def test_a_gang_fails_as_one(engine: Engine, tmp_path: Path) -> None:
    command = 'trap "touch told-$RANK; exit 0" TERM; [ $RANK = 1 ] && sleep 0.2 && exit 3; sleep 60 & wait'
    engine.start(launch(tmp_path, command, slots=GANG))
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.exit_code, report.message) == (EndKind.FAILED, 3, "rank 1 exited with code 3")
    assert {path.name for path in tmp_path.glob("told-*")} == {"told-0", "told-2", "told-3"}


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -KILL $$", 137), ("kill -SEGV $$", 139)])
def test_exit_codes_are_a_shells(engine: Engine, tmp_path: Path, command: str, code: int) -> None:
    engine.start(launch(tmp_path, command))
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.exit_code) == (EndKind.FAILED, code)


def test_a_program_that_is_not_there_fails_with_its_name(engine: Engine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "", command=("no-such-program",)))
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.exit_code) == (EndKind.FAILED, 127)
    assert "no-such-program" in report.message


def test_a_stop_signals_waits_and_kills_all_that_is_left(engine: Engine, tmp_path: Path) -> None:
    command = 'trap "echo told" USR1; (trap "" USR1; sleep 60) & while true; do sleep 0.05; done'
    engine.start(launch(tmp_path, command))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    until(lambda: True, "the trap to be set")
    engine.stop("alloc-1", signal="SIGUSR1", grace_ms=400)
    engine.stop("alloc-1", signal="SIGUSR1", grace_ms=400)
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.exit_code) in ((EndKind.STOPPED, 137), (EndKind.STOPPED, 138))


def test_a_stop_before_the_start_keeps_it_from_starting(engine: Engine, tmp_path: Path) -> None:
    engine.stop("alloc-1", signal="SIGTERM", grace_ms=100)
    engine.start(launch(tmp_path, "touch ran"))
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.started_ms) == (EndKind.STOPPED, None)
    assert not (tmp_path / "ran").exists()


def test_the_walltime_ends_it(engine: Engine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "sleep 60", walltime_ms=300))
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert report.end_kind is EndKind.WALLTIME
    assert report.started_ms is not None
    assert report.ended_ms is not None
    assert 300 <= report.ended_ms - report.started_ms < 5_000


def test_output_is_read_by_offset_and_stays_after_the_end_is_recorded(engine: Engine, tmp_path: Path) -> None:
    engine.start(launch(tmp_path, "printf 'aé'; printf b >&2"))
    await_phase(engine, "alloc-1", Phase.ENDED)
    first = engine.log("alloc-1", 0, offset=0, limit_bytes=2)
    assert (first.text, first.next_offset, first.complete) == ("a", 1, False)
    rest = engine.log("alloc-1", 0, offset=1, limit_bytes=100)
    assert (rest.text, rest.next_offset, rest.complete) == ("éb", 4, True)
    engine.forget("alloc-1")
    engine.forget("alloc-1")
    assert engine.known() == frozenset()
    assert output(engine, "alloc-1") == "aéb"


def test_somebody_is_woken_when_there_is_something_to_hear(engine: Engine, tmp_path: Path) -> None:
    woken: list[int] = []
    engine.subscribe(lambda: woken.append(1))
    engine.start(launch(tmp_path, "true"))
    until(lambda: len(woken) >= 2, "the start and the end to be announced")


def test_what_was_forgotten_never_starts_again(engine: Engine, tmp_path: Path) -> None:
    """A control plane that stood still through an allocation's end may still want to start it when it goes on."""
    wanted = launch(tmp_path, "echo run >> runs")
    engine.start(wanted)
    await_phase(engine, "alloc-1", Phase.ENDED)
    engine.forget("alloc-1")
    engine.start(wanted)
    assert engine.known() == set()
    assert (tmp_path / "runs").read_text() == "run\n"
