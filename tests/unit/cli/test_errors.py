"""However a command ends: an exit code a script can use, one clear message, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import Answer, AnsweringServer, job, problem

COMMAND = [sys.executable, "-m", "petahour.cli.main"]


@pytest.mark.parametrize(
    ("status", "slug", "code"),
    [
        (422, "invalid", 3),
        (402, "insufficient-funds", 3),
        (409, "conflict", 3),
        (404, "not-found", 4),
        (401, "unauthenticated", 5),
        (403, "forbidden", 5),
        (500, "internal", 6),
    ],
)
def test_a_refusal_has_its_exit_code(
    server: AnsweringServer, petahour: Run, status: int, slug: str, code: int
) -> None:
    server.on("GET /v1/jobs/job-1", problem(status, slug, field="job", value="job-1", rule="no", remedy="Do."))
    done = petahour("describe", "job-1")
    assert (done.code, done.out, done.err) == (code, "", "Error: job: no (got 'job-1'). Do.\n")
    done = petahour("describe", "job-1", "--json")
    expected = {"status": status, "kind": slug, "field": "job", "value": "job-1", "rule": "no", "remedy": "Do."}
    assert (done.code, done.out, json.loads(done.err)) == (code, "", {"error": expected})


def test_nothing_listens(petahour: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PETAHOUR_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("PETAHOUR_API_KEY", "ph_a_b")
        monkeypatch.setattr("petahour.client.transport.FIRST_PAUSE_S", 0.0)
        done = petahour("ps")
    assert done.code == 6
    assert "nothing answers there" in done.err


@pytest.mark.parametrize("words", ["nosuch", "ps --nosuch", "ps --limit many", "describe", "tenant", "--nosuch"])
def test_wrong_usage(petahour: Run, words: str) -> None:
    done = petahour(*words.split())
    assert done.code == 2
    assert "Traceback" not in done.err


def test_wrong_usage_as_json(petahour: Run) -> None:
    done = petahour("describe", "--json")
    assert (done.code, done.out) == (2, "")
    assert json.loads(done.err)["error"]["kind"] == "usage"


@pytest.mark.parametrize(
    ("words", "example"),
    [
        ("budget set acme default 100 --alerts 50,most", "50,80,100"),
        ("terms set acme --postpaid --limit 100 --days 7,1", "1,7,14,30"),
    ],
)
def test_numbers_that_are_none_are_told_by_an_example(
    petahour: Run, server: AnsweringServer, words: str, example: str
) -> None:
    done = petahour(*words.split())
    assert done.code == 3
    assert f'Write them like "{example}".' in done.err


def test_a_defect_is_one_line(petahour: Run, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a wheel came off")

    monkeypatch.setattr("petahour.cli.session.connect", broken)
    done = petahour("ps")
    assert done.code == 1
    assert "a wheel came off" in done.err
    assert "Traceback" not in done.err


def test_version_and_help(petahour: Run) -> None:
    assert petahour("--version").out.startswith("petahour 0.")
    shown = petahour("--help").out
    assert "Exit codes: 0 done" in shown
    names = "up demo login whoami submit ps describe logs cancel topup balance usage invoice prices fleet tenant"
    for name in [*names.split(), "conservation", "audit"]:
        assert f"\n  {name} " in shown


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from petahour.cli.main import run; run(['--help']);"
        "sys.stderr.write(','.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split(","))
    heavy = {"httpx", "sqlalchemy", "fastapi", "numpy", "uvicorn", "pydantic", "rich", "alembic", "yaml", "psutil"}
    assert loaded & heavy == set()
    assert "typer" in loaded


def test_a_reader_that_goes_away_is_quiet(server: AnsweringServer) -> None:
    jobs = [job(id=f"job-{number}", message="x" * 200) for number in range(1000)]
    server.on("GET /v1/jobs", Answer(body={"jobs": jobs, "next_before_seq": None}))
    with subprocess.Popen(
        [*COMMAND, "ps", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_ctrl_c_is_130_and_quiet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {**os.environ, "PETAHOUR_URL": url, "PETAHOUR_API_KEY": "ph_a_b"}
        with subprocess.Popen(
            [*COMMAND, "ps"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            connection, _ = silent.accept()  # It waits for an answer now.
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
            connection.close()
    assert (process.returncode, out, err) == (130, "", "")


def test_a_job_file_that_is_wrong_is_named(petahour: Run, server: AnsweringServer, tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('command = ["x"]\nnodez = 1\n')
    done = petahour("submit", str(file))
    assert done.code == 3
    assert "job.toml, line 2: nodez: an unknown field" in done.err
    assert server.asked == []


def test_completion_is_there() -> None:
    environment = {
        **os.environ,
        "_PETAHOUR_COMPLETE": "complete_bash",
        "COMP_WORDS": "petahour des",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["describe"]
