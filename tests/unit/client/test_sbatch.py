"""Batch scripts of Slurm: every directive means something here, is named as not used, or is refused with its line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from petahour.client.sbatch import load_sbatch
from petahour.model.errors import ValidationError

PATH = Path("train.sbatch")


def _load(*directives: str, body: str = "srun true\n") -> object:
    return load_sbatch(PATH, "#!/bin/bash\n" + "".join(f"#SBATCH {line}\n" for line in directives) + body).request


@pytest.mark.parametrize(
    ("directives", "field", "value"),
    [
        (["-J llama"], "name", "llama"),
        (["--job-name=llama"], "name", "llama"),
        (['--job-name "a b"  # a comment'], "name", "a b"),
        (["-N 2", "--gres=gpu:a100:8"], "accelerators_per_node", 8),
        (["-N2", "--gres=gpu:a100:8"], "nodes", 2),
        (["--gres=gpu:a100:8"], "types", ("a100",)),
        (["--gpus-per-node=h100:4"], "accelerators_per_node", 4),
        (["--nodes=2", "-G 8"], "accelerators_per_node", 4),
        (["--ntasks=8", "--nodes=2", "--gpus-per-task=1"], "accelerators_per_node", 4),
        (["--gres=npu:8"], "types", ()),
        (["--ntasks-per-node=4", "--cpus-per-task=2"], "accelerators_per_node", 8),
        (["--ntasks=4"], "types", ("cpu",)),
        (["-t 90"], "walltime", 5_400),
        (["-t 1:30"], "walltime", 90),
        (["--time=1:30:00"], "walltime", 5_400),
        (["--time=2-12"], "walltime", 216_000),
        (["--time=1-0:30"], "walltime", 88_200),
        (["--mem=64G", "--gres=gpu:8"], "memory", 8 * 2**30),
        (["--mem-per-gpu=1024", "--gres=gpu:8"], "memory", 2**30),
        (["--signal=B:USR1@120"], "preemption_signal", "SIGUSR1"),
        (["--signal=B:USR1@120"], "grace", 120),
        (["-A research"], "project", "research"),
        (["--qos=spot"], "tier", "spot"),
        (["--array=0-7%2"], "array", "0-7%2"),
        (["--dependency=afterok:job-1:job-2,afterany:job-3"], "after_ok", ("job-1", "job-2")),
        (["--export=ALL,A=1,B=x=y"], "environment", {"A": "1", "B": "x=y"}),
        (["--exclusive", "--gres=gpu:8"], "exclusive", True),
        (["-D sub"], "workdir", "sub"),
    ],
)
def test_what_directives_become(directives: list[str], field: str, value: object) -> None:
    assert getattr(_load(*directives), field) == value


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        ("--colour=red", "does not know"),
        ("--nodes=2-4", "Ranges"),
        ("--gres=gpu:a100:4,npu:2", "one kind"),
        ("--time=soon", "1:30:00"),
        ("--mem=lots", "64G"),
        ("--signal=9", "Name it"),
        ("--dependency=singleton", "afterok"),
        ("nodes=2", "dash"),
        ('--job-name="a', "quote"),
        ("-Z", "does not know"),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(directive: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _load("--nodes=1", directive)
    assert "train.sbatch, line 3" in str(caught.value)
    assert words in str(caught.value)


def test_gpus_that_do_not_divide_and_tasks_without_one_are_refused() -> None:
    for directives in (["--nodes=3", "--gpus=8"], ["--gres=gpu:2", "--ntasks-per-node=4"]):
        with pytest.raises(ValidationError):
            _load(*directives)


def test_directives_without_a_meaning_here_are_noted_and_those_behind_a_command_are_none() -> None:
    text = "#!/bin/bash\n#SBATCH -p gpu\n\n# a comment\n#SBATCH --requeue\necho\n#SBATCH --colour=red\n"
    script = load_sbatch(PATH, text)
    assert [note.partition(":")[0] for note in script.notes] == ["line 2", "line 5"]
    assert script.request.command[-1] == text


def test_a_script_that_does_not_say_what_runs_it_is_refused() -> None:
    with pytest.raises(ValidationError):
        load_sbatch(PATH, "echo hello\n")


def _run(
    folder: Path, text: str, *, nodes: int, each: int, allocation: str = "alloc-1"
) -> list[subprocess.Popen[str]]:
    command = load_sbatch(PATH, text).request.command
    ranks = []
    for rank in range(nodes * each):
        environment = {
            "PATH": "/usr/bin:/bin", "RANK": str(rank), "LOCAL_RANK": str(rank % each),
            "NODE_RANK": str(rank // each),
            "WORLD_SIZE": str(nodes * each), "LOCAL_WORLD_SIZE": str(each), "PETAHOUR_NODE": f"n{rank // each}",
            "PETAHOUR_ALLOCATION_ID": allocation, "PETAHOUR_JOB_ID": "job-1", "X_VISIBLE_DEVICES": str(rank // each),
        }  # fmt: skip
        ranks.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True))
    return ranks


def _ends(ranks: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    found = []
    for rank in ranks:
        text, _ = rank.communicate(timeout=30)
        found.append((rank.returncode, text))
    return found


def test_the_script_runs_once_and_its_steps_in_every_rank(tmp_path: Path) -> None:
    text = """#!/bin/bash
#SBATCH --nodes=2 --gpus-per-node=2 --ntasks-per-node=2
echo once >> once; mkdir sub; cd sub; export KIND=first
srun --mpi=none -l bash -c 'echo $KIND $SLURM_PROCID $RANK $X_VISIBLE_DEVICES $(basename $PWD)'
srun -n 1 echo alone &
srun --ntasks 3 bash -c 'exit $SLURM_PROCID'
code=$?
wait
exec srun bash -c "exit $code"
"""
    ends = _ends(_run(tmp_path, text, nodes=2, each=2))
    assert (tmp_path / "once").read_text() == "once\n"
    assert ends[0] == (2, "first 0 0 0 sub\nalone\n")
    assert ends[1:] == [(0, f"first {rank} {rank} {rank // 2} sub\n") for rank in (1, 2, 3)]


def test_one_task_a_node_leaves_the_other_ranks_out(tmp_path: Path) -> None:
    head = "#!/bin/bash\n#SBATCH -N 2 --gres=gpu:4 --ntasks-per-node=1\n"
    text = head + "srun bash -c 'echo $SLURM_PROCID of $SLURM_NTASKS'\n"
    ends = _ends(_run(tmp_path, text, nodes=2, each=4))
    assert [text for _, text in ends] == ["0 of 2\n", "", "", "", "1 of 2\n", "", "", ""]


def test_a_script_in_another_language_without_steps(tmp_path: Path) -> None:
    text = "#!/bin/sh\n#SBATCH --gres=gpu:2\necho plain; exit 5\n"
    assert _ends(_run(tmp_path, text, nodes=1, each=2)) == [(5, "plain\n"), (0, "")]
