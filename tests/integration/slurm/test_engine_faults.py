"""What the Slurm engine promises when Slurm, its admin or a crash gets in between: a gang runs once."""

from __future__ import annotations

import logging
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.engines.harness import await_phase, launch, now_ms, output, until
from tests.integration.slurm.cluster import Cluster, MakeCluster

from petahour.engines.protocol import Engine, Launch, Phase
from petahour.engines.slurm.commands import Commands
from petahour.engines.slurm.engine import SlurmEngine
from petahour.engines.slurm.gang_files import GangFiles
from petahour.engines.slurm.settings import Devices, Mode
from petahour.engines.slurm.transport import Submission
from petahour.model.allocations import EndKind
from petahour.model.resources import Slot

MakeEngine = Callable[..., SlurmEngine]
ONCE = "echo $RANK >> runs; sleep {seconds}; echo whole"
GANG = (Slot(node="n0", indexes=(0,)), Slot(node="n1", indexes=(0,)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "engine"


@pytest.fixture
def make_engine(home: Path) -> Iterator[MakeEngine]:
    """Engines on one directory, one after the other as a control plane that is started again has them."""
    made: list[SlurmEngine] = []

    def make(cluster: Cluster, **more: object) -> SlurmEngine:
        engine = SlurmEngine(home, settings=cluster.settings(**more), clock_ms=now_ms)  # type: ignore[arg-type]
        made.append(engine)
        assert engine.await_nodes(15)
        return engine

    yield make
    if made:
        _end_all(made[-1])
    for engine in made:
        engine.close()


def _end_all(engine: Engine) -> None:
    for name in engine.known():
        engine.stop(name, signal="SIGKILL", grace_ms=0)
        until(lambda name=name: _over(engine, name), f"{name} to end")  # type: ignore[misc]


def _over(engine: Engine, name: str) -> bool:
    return all(one.phase is Phase.ENDED for one in engine.poll(full=True) if one.allocation == name)


def _once(folder: Path, seconds: float = 0.5, **more: object) -> Launch:
    return launch(folder, ONCE.format(seconds=seconds), **more)  # type: ignore[arg-type]


def _await_saved(cluster: Cluster) -> None:
    """Wait until slurmctld has written down what runs: killed before that, it starts a second copy of it."""
    state, now_s = cluster.slurm.directory / "state" / "job_state", time.time()
    until(lambda: state.exists() and state.stat().st_mtime > now_s, "slurmctld to save its state")


def _runs(folder: Path) -> list[str]:
    return sorted((folder / "runs").read_text("utf-8").split())


# -- Slurm away ----------------------------------------------------------------------------------------------------


def test_a_killed_controller_costs_nothing_that_runs_and_nothing_that_was_handed_in(
    make_cluster: MakeCluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    cluster = make_cluster()
    engine = make_engine(cluster)
    engine.start(_once(tmp_path, 12, slots=GANG))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    _await_saved(cluster)
    other = tmp_path / "other"
    other.mkdir()
    engine.start(_once(other, name="alloc-2"))
    until(lambda: engine._roster.gangs["alloc-2"].handed_in_s is not None, "the second job to be handed in")
    # It may lose the job that it has just acknowledged, and give its number to another.
    cluster.slurm.kill("slurmctld")
    engine.start(_once(other, name="alloc-3"))
    cluster.slurm.start_controller()
    until(lambda: all(one.phase is Phase.ENDED for one in engine.poll(full=True)), "all three to end")
    assert {one.allocation: one.end_kind for one in engine.poll(full=True)} == {
        "alloc-1": EndKind.SUCCEEDED,
        "alloc-2": EndKind.SUCCEEDED,
        "alloc-3": EndKind.SUCCEEDED,
    }
    assert _runs(tmp_path) == ["0", "1"]
    assert _runs(other) == ["0", "0"]


def test_a_controller_that_forgot_everything_loses_what_ran_and_it_runs_no_longer(
    make_cluster: MakeCluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    cluster = make_cluster()
    engine = make_engine(cluster)
    engine.start(launch(tmp_path, "while :; do date +%s.%N > alive; sleep 0.1; done"))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    cluster.slurm.kill("slurmctld")
    shutil.rmtree(cluster.slurm.directory / "state")
    (cluster.slurm.directory / "state").mkdir()
    cluster.slurm.start_controller()
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.message) == (EndKind.LOST, "Slurm no longer knows the job")
    alive = tmp_path / "alive"
    until(lambda: time.time() - alive.stat().st_mtime > 1.0, "the rank to be gone")


def test_a_refusing_slurmrestd_and_an_old_token_change_nothing(
    make_cluster: MakeCluster, make_engine: MakeEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = make_cluster(rest=True)
    engine = make_engine(cluster, rest=True)
    engine._transport._token = "expired"  # type: ignore[attr-defined]
    with caplog.at_level(logging.WARNING, "petahour.slurm"):
        engine.start(_once(tmp_path, 0.1))
        assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
        assert caplog.messages == []
        engine.start(_once(tmp_path, 2, name="alloc-2"))
        await_phase(engine, "alloc-2", Phase.RUNNING)
        cluster.slurm.kill("slurmrestd")
        assert await_phase(engine, "alloc-2", Phase.ENDED).end_kind is EndKind.SUCCEEDED
        engine.start(_once(tmp_path, 0.1, name="alloc-3"))
        assert await_phase(engine, "alloc-3", Phase.ENDED).end_kind is EndKind.SUCCEEDED
        cluster.slurm.start_rest()
        until(lambda: caplog.messages[-1:] == ["slurmrestd serves again"], "slurmrestd to be used again")
    assert caplog.messages[0].startswith("slurmrestd does not serve, going on by command")


# -- Slurm's admin -------------------------------------------------------------------------------------------------


def test_a_job_that_the_admin_cancels_is_lost_and_not_its_tenants_failure(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    engine = make_engine(cluster)
    engine.start(_once(tmp_path, 60, slots=GANG))
    await_phase(engine, "alloc-1", Phase.RUNNING)
    cluster.slurm.command("scancel", "--name=alloc-1")
    report = await_phase(engine, "alloc-1", Phase.ENDED)
    assert (report.end_kind, report.message) == (EndKind.LOST, "the job was cancelled in Slurm")


def test_a_job_that_slurm_never_starts_is_taken_back_with_the_reason(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    engine = make_engine(cluster, pending_limit_ms=1_000)
    cluster.slurm.command("scontrol", "update", "nodename=m1", "state=drain", "reason=cables")
    try:
        engine.start(_once(tmp_path, slots=[Slot(node="m1", indexes=(0,))], type="ascend-910b3"))
        report = await_phase(engine, "alloc-1", Phase.ENDED)
    finally:
        cluster.slurm.command("scontrol", "update", "nodename=m1", "state=resume")
    assert (report.end_kind, report.started_ms) == (EndKind.LOST, None)
    assert report.message.startswith("Slurm did not start it within 1 s (")
    assert not (tmp_path / "runs").exists()


def test_a_job_that_slurm_refuses_says_why(cluster: Cluster, make_engine: MakeEngine, tmp_path: Path) -> None:
    for rest in (False, True):
        engine = make_engine(cluster, rest=rest)
        engine.start(_once(tmp_path, slots=[Slot(node="n0", indexes=tuple(range(9)))], name=f"alloc-{rest}"))
        report = await_phase(engine, f"alloc-{rest}", Phase.ENDED)
        assert report.end_kind is EndKind.LOST
        assert "Requested node configuration is not available" in report.message
        engine.forget(f"alloc-{rest}")
        engine.close()


# -- crashes ----------------------------------------------------------------------------------------------------


class _CrashedError(BaseException):
    """Ends the thread as a kill of the process would."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_crash_between_sbatch_and_its_record_runs_the_job_once(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: GangFiles, allocation: str, job: int, at_ms: int) -> None:
        raise _CrashedError

    before = make_engine(cluster)
    with monkeypatch.context() as patch:
        patch.setattr(GangFiles, "submitted", crash)
        before.start(_once(tmp_path, slots=GANG))
        until(lambda: not before._watch._thread.is_alive(), "the crash")
    before.close()
    engine = make_engine(cluster)
    engine.start(_once(tmp_path, slots=GANG))
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    assert _runs(tmp_path) == ["0", "1"]
    assert output(engine, "alloc-1") == "whole\n"


def test_a_start_that_was_prepared_and_never_handed_in_is_handed_in_by_the_next(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    before = make_engine(cluster)
    before._watch.close()
    before.start(_once(tmp_path))
    before.close()
    engine = make_engine(cluster)
    assert engine.known() == {"alloc-1"}
    engine.start(_once(tmp_path))
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    assert _runs(tmp_path) == ["0"]


def test_a_job_handed_in_twice_runs_once(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Commands.submit

    def twice(self: Commands, submission: Submission) -> int:
        submit(self, submission)
        return submit(self, submission)

    monkeypatch.setattr(Commands, "submit", twice)
    engine = make_engine(cluster)
    engine.start(_once(tmp_path, 2))
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    assert _runs(tmp_path) == ["0"]
    until(lambda: not cluster.slurm.command("squeue", "--noheader", "--name=alloc-1"), "the other one to be gone")


def test_a_job_of_ours_that_nobody_knows_is_an_orphan_that_can_be_stopped(
    cluster: Cluster, make_engine: MakeEngine, home: Path, tmp_path: Path
) -> None:
    before = make_engine(cluster)
    before.start(_once(tmp_path, 60))
    await_phase(before, "alloc-1", Phase.RUNNING)
    before.close()
    shutil.move(home / "allocations" / "alloc-1", tmp_path / "moved-away")
    engine = make_engine(cluster)
    until(lambda: engine.known() == {"alloc-1"}, "the orphan to be found")
    engine.stop("alloc-1", signal=signal.SIGTERM.name, grace_ms=0)
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.STOPPED
    assert not cluster.slurm.command("squeue", "--noheader", "--name=alloc-1", "--states=running")


def test_what_runs_is_adopted_with_its_end(cluster: Cluster, make_engine: MakeEngine, tmp_path: Path) -> None:
    before = make_engine(cluster)
    before.start(_once(tmp_path, 1.5, slots=GANG))
    await_phase(before, "alloc-1", Phase.RUNNING)
    before.close()
    engine = make_engine(cluster)
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    assert _runs(tmp_path) == ["0", "1"]


# -- delegated -------------------------------------------------------------------------------------------------------


def test_where_slurm_picks_nodes_ranks_see_the_devices_it_bound(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    """Petahour's slots are then shares of capacity: which nodes and devices they are, Slurm says."""
    engine = make_engine(cluster, mode=Mode.DELEGATED, devices=Devices.SLURM, pending_limit_ms=1)
    cluster.slurm.command("scontrol", "update", "nodename=m0", "state=drain", "reason=elsewhere")
    try:
        slots = (Slot(node="m0", indexes=(6, 7)),)
        engine.start(launch(tmp_path, "env", slots=slots, type="ascend-910b3"))
        assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    finally:
        cluster.slurm.command("scontrol", "update", "nodename=m0", "state=resume")
    ranks = [dict(line.split("=", 1) for line in output(engine, "alloc-1", rank).splitlines()) for rank in (0, 1)]
    assert {rank["PETAHOUR_NODE"] for rank in ranks} == {"m1"}
    assert {rank["VISIBLE"] for rank in ranks} == {"0,1"}
    assert [rank["RANK"] for rank in ranks] == ["0", "1"]


def test_a_delegated_gang_is_numbered_as_slurm_numbers_its_nodes(
    cluster: Cluster, make_engine: MakeEngine, tmp_path: Path
) -> None:
    engine = make_engine(cluster, mode=Mode.DELEGATED, devices=Devices.SLURM)
    engine.start(launch(tmp_path, "env", slots=GANG))
    assert await_phase(engine, "alloc-1", Phase.ENDED).end_kind is EndKind.SUCCEEDED
    ranks = [dict(line.split("=", 1) for line in output(engine, "alloc-1", rank).splitlines()) for rank in (0, 1)]
    assert [(rank["PETAHOUR_NODE"], rank["NODE_RANK"]) for rank in ranks] == [("n0", "0"), ("n1", "1")]
    assert len({(rank["MASTER_ADDR"], rank["MASTER_PORT"]) for rank in ranks}) == 1
