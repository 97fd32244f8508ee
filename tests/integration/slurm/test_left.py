"""A throw-away cluster leaves no process, whether it is closed or its owner is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.engines.harness import until
from tests.integration.slurm.cluster import NODES

from petahour.engines.slurm.throwaway import ThrowawaySlurm
from petahour.engines.slurm.throwaway_left import of_cluster, sweep

OWNER = """
import sys, time
from petahour.engines.slurm.throwaway import ThrowawaySlurm
from petahour.engines.slurm.throwaway_conf import VirtualNode
slurm = ThrowawaySlurm([VirtualNode(name="n0", gres="gpu:a100:8")])
slurm.start()
slurm.command("sbatch", "--output=/dev/null", "--wrap=srun sleep 600")
while "RUNNING" not in slurm.command("squeue", "--noheader", "--format=%T"):
    time.sleep(0.05)
print(slurm.directory, flush=True)
time.sleep(600)
"""


def running_steps(slurm: ThrowawaySlurm) -> bool:
    return any(process.name().startswith("slurmstepd") for process in of_cluster(slurm.conf))


def test_a_closed_one_leaves_nothing() -> None:
    slurm = ThrowawaySlurm(NODES[:2])
    try:
        slurm.start()
        slurm.command("sbatch", "--output=/dev/null", "--wrap=srun sleep 600")
        until(lambda: running_steps(slurm), "the job's step")
    finally:
        slurm.close()
    assert of_cluster(slurm.conf) == []
    assert not slurm.directory.exists()


def test_what_a_killed_owner_left_is_swept_and_others_are_not(tmp_path: Path) -> None:
    living = ThrowawaySlurm(NODES[:1])
    try:
        living.start()
        owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env={**os.environ})
        assert owner.stdout is not None
        with owner.stdout as said:
            directory = Path(said.readline().strip())
        owner.kill()
        owner.wait()
        assert directory.exists()
        sweep()
        assert not directory.exists()
        assert of_cluster(directory / "slurm.conf") == []
        assert len(living.command("sinfo", "--noheader", "--format=%n").split()) == 1
    finally:
        living.close()
