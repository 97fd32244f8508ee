"""Recorded samples, and tools made of them: shell scripts on PATH that print what the real tool would."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "samples"

Sample = Callable[[str], str]
MakeTool = Callable[[str, str], Path]


@pytest.fixture
def sample() -> Sample:
    """Reads a recorded sample by its file name."""

    def read(name: str) -> str:
        return (SAMPLES / name).read_text(encoding="utf-8")

    return read


@pytest.fixture
def make_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTool:
    """Puts a shell script of that name and body on an otherwise empty PATH. Binaries need full paths."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, body: str) -> Path:
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        return script

    return make


@pytest.fixture
def prints() -> Callable[[str], str]:
    """The body of a script that prints a sample."""

    def body(name: str) -> str:
        return f"/bin/cat {shlex.quote(str(SAMPLES / name))}"

    return body
