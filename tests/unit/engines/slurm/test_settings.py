"""slurm.toml: what it may say, and that a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from petahour.engines.slurm.settings import Devices, Mode, read_settings
from petahour.model.errors import ValidationError

TYPES = {"a100-80g-sxm"}
GRES = '[gres]\n"gpu:a100" = "a100-80g-sxm"\n'


def _read(folder: Path, text: str) -> object:
    path = folder / "slurm.toml"
    path.write_text(text, "utf-8")
    return read_settings(path, TYPES)


def test_a_full_file(tmp_path: Path) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text(
        f'partition = "ai"\nmode = "delegated"\naccount = "petahour"\npending_limit_s = 60\n{GRES}'
        '[rest]\nurl = "http://127.0.0.1:6820/"\nuser = "petahour"\ntoken_file = "/run/token"\n',
        "utf-8",
    )
    found = read_settings(path, TYPES)
    assert (found.mode, found.devices, found.pending_limit_ms) == (Mode.DELEGATED, Devices.SLURM, 60_000)
    assert found.rest is not None
    assert found.rest.url == "http://127.0.0.1:6820"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("partition = 3\n" + GRES, "partition"),
        ("", "partition"),
        ('partition = "ai"\n[gres]\n', "gres"),
        ('partition = "ai"\n[gres]\n"gpu:a100" = "a1"\n', "gres.gpu:a100"),
        ('partition = "ai"\n[gres]\n"gpu a100" = "a100-80g-sxm"\n', "gres"),
        (f'partition = "ai"\nmode = "other"\n{GRES}', "mode"),
        (f'partition = "ai"\nmode = "delegated"\ndevices = "petahour"\n{GRES}', "devices"),
        (f'partition = "ai"\ncolour = "red"\n{GRES}', "colour"),
        (f'partition = "ai"\n{GRES}[rest]\nurl = "http://h"\nuser = "u"\n', "rest"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _read(tmp_path, text)
    assert caught.value.field == field
    assert "slurm.toml" in caught.value.remedy


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        read_settings(tmp_path / "none.toml", TYPES)
    with pytest.raises(ValidationError):
        _read(tmp_path, "partition = [")
