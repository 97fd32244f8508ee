"""The status file: whole or not at all, whatever happened to its bytes."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from petahour.engines.local import supervisor


def _written(folder: Path, status: dict[str, object]) -> Path:
    descriptor = supervisor.make_status(str(folder))
    supervisor.write_status(descriptor, status)
    os.close(descriptor)
    return folder / "status"


def test_the_last_status_written_is_read_and_its_space_was_claimed_before(tmp_path: Path) -> None:
    descriptor = supervisor.make_status(str(tmp_path))
    assert supervisor.read_status(str(tmp_path)) is None
    assert (tmp_path / "status").stat().st_blocks * 512 >= supervisor.STATUS_BYTES
    for phase in ("a longer phase at first", "running"):
        supervisor.write_status(descriptor, {"phase": phase})
        assert supervisor.read_status(str(tmp_path)) == {"phase": phase}
    os.close(descriptor)


@given(place=st.integers(0, 60), byte=st.integers(0, 255))
def test_a_damaged_status_is_none_or_the_same(tmp_path_factory, place: int, byte: int) -> None:  # type: ignore[no-untyped-def]
    status = {"phase": "ended", "code": 0, "message": "whole", "rank": [1, 2]}
    path = _written(tmp_path_factory.mktemp("rank"), status)
    damaged = bytearray(path.read_bytes())
    damaged[place] = byte
    path.write_bytes(damaged)
    assert supervisor.read_status(str(path.parent)) in (None, status)


def test_a_torn_status_is_none(tmp_path: Path) -> None:
    path = _written(tmp_path, {"phase": "ended", "message": "x" * 300})
    path.write_bytes(path.read_bytes()[:100])
    assert supervisor.read_status(str(tmp_path)) is None


def test_a_process_is_known_by_pid_and_start() -> None:
    mine = supervisor.start_time(os.getpid())
    assert mine is not None
    assert mine != supervisor.start_time(1)
    assert supervisor.start_time(2**22 + 1) is None
