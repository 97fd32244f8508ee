"""`quote` without a control plane: what is refused, and what the output says beside the figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import AnsweringServer

OFFLINE = ("--offline", "--types", "a100-80g-sxm", "--gang", "8")


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_config_with_what_is_no_json_number_is_refused(
    petahour: Run, server: AnsweringServer, tmp_path: Path, figure: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(f'{{"model_type": "llama", "hidden_size": {figure}}}')
    for options in (OFFLINE, OFFLINE[1:]):
        done = petahour("quote", str(file), "--tokens", "1B", *options)
        assert done.code != 0
        assert done.out == ""
        assert done.err.startswith(("Error: model: ", "Error: config.hidden_size: "))
    assert server.asked == []


def test_a_run_that_nobody_could_wait_for_is_refused(petahour: Run) -> None:
    done = petahour("quote", "gpt-3-175b", "--tokens", "10000T", *OFFLINE[:3], "--gang", "64")
    assert done.code != 0
    assert "tokens: a run of at most 1,000 years" in done.err


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--types", ","), "types"),
        (("--types", ""), "types"),
        ((*OFFLINE, "--tenant", "acme"), "tenant"),
        ((*OFFLINE, "--currency", "CNY"), "currency"),
        ((*OFFLINE, "--plan", "tp=8,tp=4"), "plan"),
        ((*OFFLINE, "--amount", "5"), "amount"),
        ((*OFFLINE, "--hours", "5"), "model"),
    ],
)
def test_what_would_be_ignored_is_refused(petahour: Run, options: tuple[str, ...], field: str) -> None:
    done = petahour("quote", "llama-2-7b", "--tokens", "1B", *options)
    assert done.code != 0
    assert done.err.startswith(f"Error: {field}: ")
