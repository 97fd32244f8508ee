"""`submit`, `ps`, `describe`, `logs` and `cancel`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import Answer, AnsweringServer, Asked, job, job_detail

ID = "job-7q0w4v2m9x"


def test_submit_from_a_file_with_flags_that_win(server: AnsweringServer, petahour: Run, tmp_path: Path) -> None:
    server.on("POST /v1/jobs", Answer(status=201, body=job()))
    file = tmp_path / "job.toml"
    file.write_text('command = ["old"]\ntier = "spot"\nretries = 2\n[env]\nA = "1"\nB = "2"\n')
    done = petahour("submit", str(file), "--tier", "on-demand", "--env", "B=3=4", "--", "new", "--json", "--", "x")
    assert done.code == 0
    assert done.out == f"{ID} submitted: needs 2 x 8 a100-80g-sxm; 12 free\n"
    body = server.asked[0].body
    assert isinstance(body, dict)
    assert body["command"] == ["new", "--json", "--", "x"]
    assert body["tier"] == "on-demand"
    assert body["retries"] == 2
    assert body["environment"] == {"A": "1", "B": "3=4"}


def test_submit_from_flags_alone(server: AnsweringServer, petahour: Run) -> None:
    server.on("POST /v1/jobs", Answer(status=201, body=job()))
    words = (
        "submit --type a100-80g-sxm --type ascend-910b3 --nodes 2 --per-node 8 --walltime 1h --json -- python t.py"
    )
    done = petahour(*words.split())
    assert done.document == {**job(), "losses": 0}
    body = server.asked[0].body
    assert isinstance(body, dict)
    assert body["gang"] == {"nodes": 2, "accelerators_per_node": 8}
    assert body["types"] == ["a100-80g-sxm", "ascend-910b3"]
    assert body["command"] == ["python", "t.py"]


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1)])
def test_submit_and_wait_ends_as_the_job_did(server: AnsweringServer, petahour: Run, state: str, code: int) -> None:
    server.on("POST /v1/jobs", Answer(status=201, body=job()))
    server.on(f"GET /v1/jobs/{ID}", Answer(body=job_detail(state=state, exit_code=3, message="rank 1 exited")))
    done = petahour("submit", "--wait", "--", "true")
    assert done.code == code
    assert done.out.endswith(f"{ID} {state}, exit code 3: rank 1 exited\n")
    assert petahour("submit", "--wait", "--json", "--", "true").document["state"] == state  # type: ignore[index]


def test_a_wait_that_is_too_long_is_a_failure(server: AnsweringServer, petahour: Run) -> None:
    server.on("POST /v1/jobs", Answer(status=201, body=job()))
    server.on(f"GET /v1/jobs/{ID}", Answer(body=job_detail()))
    done = petahour("submit", "--wait", "--timeout", "0", "--", "true")
    assert done.code == 1
    assert "within 0 s" in done.err


def test_submit_and_follow_keeps_stdout_for_the_job(server: AnsweringServer, petahour: Run) -> None:
    server.on("POST /v1/jobs", Answer(status=201, body=job()))
    server.on(f"GET /v1/jobs/{ID}", Answer(body=job_detail(state="succeeded", attempt=1, exit_code=0)))
    server.compute(f"GET /v1/jobs/{ID}/logs", _log)
    done = petahour("submit", "--follow", "--", "true")
    assert (done.code, done.out) == (0, "hello\nworld\n")
    assert f"{ID} succeeded, exit code 0" in done.err


@pytest.mark.parametrize(
    "words", ["", "--env X -- true", "--timeout 3 -- true", "--follow --json -- true", "--nodes two -- true"]
)
def test_submit_used_wrongly(server: AnsweringServer, petahour: Run, words: str) -> None:
    done = petahour("submit", *words.split())
    assert done.code == 2
    assert done.out == ""
    assert done.err
    assert server.asked == []


def test_ps_shows_ids_whole_and_why_jobs_wait(server: AnsweringServer, petahour: Run) -> None:
    long = "needs " + "16 x 8 a100-80g-sxm under one switch, " * 10
    jobs = [
        job(hold={"code": "capacity", "text": long}),
        job(
            id="job-2", state="running", type="ascend-910b3", rehearsal=True, attempt=1, started_ms=1_772_366_400_000
        ),
        job(id="job-3", state="failed", message="rank 0 exited with code 1", exit_code=1, name="\x1b[31mred[bold]"),
    ]
    server.on("GET /v1/jobs", Answer(body={"jobs": jobs, "next_before_seq": None}))
    done = petahour("ps", "--active", "--tenant", "acme", "--limit", "3")
    lines = done.out.splitlines()
    assert lines[0].split() == ["ID", "TENANT", "NAME", "STATE", "TIER", "GANG", "TYPE", "TRY", "TIME", "REASON"]
    assert lines[1].startswith(ID)
    assert long.strip() in lines[1]
    assert "ascend-910b3*" in lines[2]
    assert "rank 0 exited with code 1" in lines[3]
    assert "[bold]" in lines[3]
    assert "\x1b" not in done.out
    assert all(line == line.rstrip() for line in lines)
    assert server.asked[0].query["state"] == ["queued", "starting", "running", "stopping", "preempted"]
    assert petahour("ps", "--json").document["jobs"][1]["id"] == "job-2"  # type: ignore[index]


def test_ps_of_all_reads_every_page(server: AnsweringServer, petahour: Run) -> None:
    first = Answer(body={"jobs": [job(id="job-2")], "next_before_seq": 2})
    server.on("GET /v1/jobs", first, Answer(body={"jobs": [job(id="job-1")], "next_before_seq": None}))
    assert [line.split()[0] for line in petahour("ps", "--all").out.splitlines()] == ["ID", "job-2", "job-1"]


def test_ps_of_nothing(server: AnsweringServer, petahour: Run) -> None:
    server.on("GET /v1/jobs", Answer(body={"jobs": [], "next_before_seq": None}))
    assert petahour("ps").out == "No jobs.\n"


def test_describe_shows_history_and_the_reason(server: AnsweringServer, petahour: Run) -> None:
    server.on(f"GET /v1/jobs/{ID}", Answer(body=job_detail()))
    out = petahour("describe", ID).out
    assert "waits because  needs 2 x 8 a100-80g-sxm; 12 free" in out
    assert "2026-03-01 12:01:02.000Z  stopping -> preempted    1  preempted for another" in out
    assert "n1[0-1] (rehearsal)" in out
    assert "stopped (preempted)" in out
    assert "1h30m" in out
    assert petahour("describe", ID, "--json").document == {
        **job_detail(),
        "losses": 0,
        "outlook": None,
        "quoted": None,
    }


def test_logs_of_one_rank(server: AnsweringServer, petahour: Run) -> None:
    server.compute(f"GET /v1/jobs/{ID}/logs", _log)
    server.on(f"GET /v1/jobs/{ID}", Answer(body=job_detail(state="succeeded", attempt=1)))
    assert petahour("logs", ID, "--rank", "1", "--attempt", "1").out == "hello\nworld\n"
    assert server.asked[0].query == {"rank": ["1"], "attempt": ["1"], "offset": ["0"], "limit": ["65536"]}
    assert petahour("logs", "-f", ID).out == "hello\nworld\n"
    assert petahour("logs", ID, "--json").document["text"] == "hello\nworld\n"  # type: ignore[index]


def test_cancel_several_and_wait(server: AnsweringServer, petahour: Run) -> None:
    server.on(f"POST /v1/jobs/{ID}/cancel", Answer(status=202, body=job(state="stopping")))
    server.on(f"GET /v1/jobs/{ID}", Answer(body=job_detail(state="cancelled")))
    assert petahour("cancel", ID, ID).out == f"{ID} is stopping\n" * 2
    assert petahour("cancel", ID, "--wait").out == f"{ID} is cancelled\n"


def test_what_was_cancelled_is_told_when_a_later_one_is_refused(server: AnsweringServer, petahour: Run) -> None:
    server.on(f"POST /v1/jobs/{ID}/cancel", Answer(status=202, body=job(state="stopping")))
    done = petahour("cancel", ID, "job-none")
    assert (done.code, done.out) == (4, f"{ID} is stopping\n")


def _log(asked: Asked) -> Answer:
    text = "hello\nworld\n"
    offset = int(asked.query["offset"][0])
    piece = text[offset : offset + 7]
    chunk = {"job": ID, "attempt": 1, "rank": 0, "text": piece, "next_offset": offset + len(piece), "complete": True}
    return Answer(body=chunk)
