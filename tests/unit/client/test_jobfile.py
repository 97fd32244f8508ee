"""Job files: what they say, and one clear error for each way to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from petahour.client import load_job_file
from petahour.client.jobfile import MAX_FILE_BYTES
from petahour.model.errors import TooLargeError, ValidationError

TOML = """\
name = "char-lm"
command = ["python", "train.py"]
types = ["a100-80g-sxm", "ascend-910b3"]
walltime = "12h"
memory = 1024

[gang]
nodes = 2
accelerators_per_node = 8

[env]
OMP_NUM_THREADS = "4"
"""
YAML = """\
name: char-lm
command: [python, train.py]
types: [a100-80g-sxm, ascend-910b3]
walltime: 12h
memory: 1024
gang: {nodes: 2, accelerators_per_node: 8}
environment: {OMP_NUM_THREADS: "4"}
"""


def _write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    one = load_job_file(_write(tmp_path, "job.toml", TOML))
    two = load_job_file(_write(tmp_path, "job.yml", YAML))
    assert one == two
    assert (one.nodes, one.accelerators_per_node, one.memory) == (2, 8, 1024)
    assert one.environment == {"OMP_NUM_THREADS": "4"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.toml", 'command = ["x"\nname =', r"a\.toml: valid TOML: .*line 2"),
        ("a.yaml", "command: [x\nname: y\n", r"a\.yaml: valid YAML: .*line 2"),
        ("a.toml", 'command = ["x"]\n\nnodez = 2\n', r"line 3: nodez: an unknown field"),
        ("a.toml", 'command = ["x"]\n[gang]\nnodez = 2\n', r"line 3: gang\.nodez: an unknown field"),
        ("a.toml", 'name = "x"\n', r"command: a job has a command"),
        ("a.toml", 'command = "python train.py"\n', r"line 1: command: a list of texts"),
        ("a.toml", 'command = ["x"]\nretries = 1.5\n', r"line 2: retries: a whole number"),
        ("a.toml", 'command = ["x"]\nretries = true\n', r"line 2: retries: a whole number"),
        ("a.toml", 'command = ["x"]\nname = 5\n', r"line 2: name: text"),
        ("a.toml", 'command = ["x"]\ngrace = 1.5\n', r"line 2: grace: text or a whole number"),
        ("a.toml", 'command = ["x"]\ngang = 2\n', r"gang: a table"),
        ("a.yaml", "command: [x]\nenv: {A: 1}\n", r"env\.A: text.*quotes"),
        ("a.yaml", "command: [x]\nenv: [A]\n", r"line 2: env: a table of variables"),
        ("a.toml", 'command = ["x"]\n[env]\n[environment]\n', r"either env or environment"),
        ("a.yaml", "- x\n", r"fields with names"),
        ("a.yaml", "", r"fields with names"),
        ("a.yaml", "command: [x]\nname: 2026-99-99\n", r"a\.yaml"),
        ("a.yaml", "[" * 20_000, r"valid YAML"),
        ("a.toml", "a = " + "[" * 20_000, r"valid TOML"),
        ("a.yaml", "command: !!python/object/apply:os.system [x]\n", r"valid YAML"),
        ("a.json", "{}", r"ends in \.toml, \.yaml or \.yml"),
        ("a.toml", b'command = ["x"]\nname = "\xff\xfe"\n', r"line 2: a job file in UTF-8"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        load_job_file(_write(tmp_path, name, content))


def test_too_large_and_missing(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError, match=str(MAX_FILE_BYTES)):
        load_job_file(_write(tmp_path, "big.toml", b"#" * (MAX_FILE_BYTES + 1)))
    with pytest.raises(ValidationError, match="No such file"):
        load_job_file(tmp_path / "missing.toml")
    with pytest.raises(ValidationError, match="directory"):
        load_job_file(tmp_path)
