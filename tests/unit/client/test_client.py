"""Every method asks for the route of the API and reads its answer."""

from __future__ import annotations

import pytest
from tests.unit.client.answering import Answer, AnsweringServer, Asked, job, job_detail, problem

from petahour.client import ApiError, Client, JobRequest, ProtocolError, WaitTimeoutError
from petahour.model.errors import ValidationError


def test_submit_sends_the_request_with_a_key_of_its_own(client: Client, server: AnsweringServer) -> None:
    server.on("POST /v1/jobs", Answer(status=201, body=job()))
    request = JobRequest(command=("python", "train.py"), types=("a100-80g-sxm",), nodes=2, walltime="1h30m")
    made = client.submit(request)
    client.submit(request)
    client.submit(request, idempotency_key="mine")
    assert made.gang.nodes == 2
    assert made.hold is not None
    assert made.hold.code == "capacity"
    first, second, third = server.asked
    assert first.headers["Authorization"] == "Bearer ph_abc_secret"
    assert first.body == {
        "project": "default",
        "command": ["python", "train.py"],
        "workdir": ".",
        "environment": {},
        "gang": {"nodes": 2, "accelerators_per_node": 1},
        "types": ["a100-80g-sxm"],
        "tier": "on-demand",
        "priority": 0,
        "walltime": "1h30m",
        "retries": 0,
        "preemption_signal": "SIGTERM",
        "grace": "30s",
    }
    assert len(first.headers["Idempotency-Key"]) == 36
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]
    assert third.headers["Idempotency-Key"] == "mine"


def test_a_key_that_is_no_header_is_refused_here(client: Client, server: AnsweringServer) -> None:
    with pytest.raises(ValidationError, match="idempotency_key"):
        client.submit(JobRequest(command=("true",)), idempotency_key="a\r\nb")
    assert server.asked == []


def test_fields_of_a_newer_server_are_passed_over(client: Client, server: AnsweringServer) -> None:
    server.on("GET /v1/jobs/job-1", Answer(body=job_detail(novelty={"a": [1]}, state="hibernating")))
    found = client.job("job-1")
    assert found.state == "hibernating"
    assert found.allocations[0].slots[0].indexes == (0, 1)
    assert [step.after for step in found.history] == ["queued", "preempted"]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"command": "python"},
        {"attempt": "1"},
        {"attempt": True},
        {"gang": []},
        {"environment": {"A": 1}},
    ],
)
def test_an_answer_of_another_kind_is_named(
    client: Client, server: AnsweringServer, changes: dict[str, object]
) -> None:
    server.on("GET /v1/jobs/job-1", Answer(body=job_detail(**changes)))
    with pytest.raises(ProtocolError, match=next(iter(changes))):
        client.job("job-1")


def test_a_missing_field_is_named(client: Client, server: AnsweringServer) -> None:
    server.on("GET /v1/whoami", Answer(body={"user": "ann", "role": "member"}))
    with pytest.raises(ProtocolError, match="tenant"):
        client.whoami()


def test_a_page_that_is_not_json_is_not_a_control_plane(client: Client, server: AnsweringServer) -> None:
    server.on("GET /v1/whoami", Answer(text="<html>Welcome</html>"))
    with pytest.raises(ProtocolError, match="JSON"):
        client.whoami()


def test_a_refusal_carries_its_problem(client: Client, server: AnsweringServer) -> None:
    answer = problem(422, "impossible", field="gang", value="16 x 8", rule="at most 4 nodes", remedy="Ask for less.")
    server.on("POST /v1/jobs", answer)
    with pytest.raises(ApiError) as caught:
        client.submit(JobRequest(command=("true",)))
    error = caught.value
    assert (error.status, error.slug, error.field, error.value) == (422, "impossible", "gang", "16 x 8")
    assert str(error) == "gang: at most 4 nodes (got '16 x 8'). Ask for less."


def test_a_refusal_without_a_problem_is_still_an_error(client: Client, server: AnsweringServer) -> None:
    server.on("GET /v1/whoami", Answer(status=418, text="teapot"))
    with pytest.raises(ApiError, match="418"):
        client.whoami()


def test_jobs_are_read_page_by_page(client: Client, server: AnsweringServer) -> None:
    def page(asked: Asked) -> Answer:
        before = int(asked.query.get("before_seq", ["4"])[0])
        shown = [job(id=f"job-{before - 1}")]
        return Answer(body={"jobs": shown, "next_before_seq": before - 1 if before > 2 else None})

    server.compute("GET /v1/jobs", page)
    assert [item.id for item in client.every_job(states=("queued", "running"))] == ["job-3", "job-2", "job-1"]
    assert server.asked[0].query["state"] == ["queued", "running"]


def test_names_stay_one_segment_of_the_path(client: Client, server: AnsweringServer) -> None:
    with pytest.raises(ApiError):
        client.tenant("a/b?c")
    assert server.asked[0].path == "/v1/tenants/a%2Fb%3Fc"
    with pytest.raises(ValidationError):
        client.job("..")


def test_wait_returns_at_the_state_or_at_the_end(
    client: Client, server: AnsweringServer, pauses: list[float]
) -> None:
    states = ["queued", "starting", "running"]
    server.on("GET /v1/jobs/job-1", *(Answer(body=job_detail(state=state)) for state in states))
    assert client.wait("job-1", ("running",), poll_s=0.2).state == "running"
    assert pauses == [0.2, 0.2]
    server.on("GET /v1/jobs/job-1", Answer(body=job_detail(state="failed")))
    assert client.wait("job-1", ("running",)).state == "failed"


def test_wait_gives_up_in_time(server: AnsweringServer) -> None:
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds

    server.on("GET /v1/jobs/job-1", Answer(body=job_detail()))
    client = Client(server.url, "ph_a_b", sleep=sleep, monotonic_s=lambda: now_s[0])
    with client, pytest.raises(WaitTimeoutError, match="within 3 s"):
        client.wait("job-1", timeout_s=3, poll_s=1)
    assert now_s[0] == 3.0


def test_follow_goes_through_the_attempts_to_the_end(client: Client, server: AnsweringServer) -> None:
    texts = {1: "one\ntwo\n", 2: "three\n"}

    def log(asked: Asked) -> Answer:
        attempt = int(asked.query.get("attempt", ["1"])[0])
        offset = int(asked.query["offset"][0])
        piece = texts[attempt][offset : offset + 4]
        chunk = {"job": "job-1", "attempt": attempt, "rank": 1, "text": piece, "next_offset": offset + len(piece)}
        return Answer(body={**chunk, "complete": True})

    server.compute("GET /v1/jobs/job-1/logs", log)
    server.on(
        "GET /v1/jobs/job-1",
        Answer(body=job_detail(attempt=1, state="queued")),
        Answer(body=job_detail(attempt=2, state="running")),
        Answer(body=job_detail(attempt=2, state="succeeded")),
    )
    assert "".join(chunk.text for chunk in client.follow_log("job-1", 1)) == "one\ntwo\nthree\n"
    assert "".join(chunk.text for chunk in client.follow_log("job-1", 1, attempt=1)) == "one\ntwo\n"


def test_money_and_capacity_are_read(client: Client, server: AnsweringServer) -> None:
    sums = {"billed": 1, "waived": 2, "open": 3, "idle": 4, "down": 5, "capacity": 15}
    cell = {"hour_ms": 0, "type": "cpu", "rehearsal": False, **sums}
    server.on(
        "GET /v1/conservation", Answer(body={"ok": True, **sums, "rehearsal": sums, "faults": [], "cells": [cell]})
    )
    server.on("GET /v1/prices", Answer(body={"books": [_book()]}))
    balance = {"tenant": "acme", "currency": "CNY", "posted_micros": 5, "held_micros": 2, "available_micros": 3}
    transfer = {"id": "t", "debit": "a", "credit": "b", "amount_micros": 5, "currency": "CNY", "at_ms": 1}
    server.on("POST /v1/tenants/acme/topups", Answer(status=201, body={"transfer": transfer, "balance": balance}))
    server.on("GET /v1/tenants/acme/invoices/2026-03", Answer(text="INVOICE\n"))
    result = client.conservation(from_ms=0)
    assert result.cells[0].capacity == result.capacity == 15
    assert client.prices()[0].prices[0].micros == 280_000
    assert client.topup("acme", "0.000005", currency="CNY").balance.available_micros == 3
    assert client.invoice_text("acme", "2026-03") == "INVOICE\n"
    assert server.asked[0].query == {"from_ms": ["0"]}
    assert server.asked[-1].query == {"format": ["text"]}


def test_the_operators_people_have_routes_of_their_own(client: Client, server: AnsweringServer) -> None:
    user = {"name": "fay", "tenant": None, "role": "finance", "created_ms": 1}
    made = {"id": "key-1", "key": "ph_1_s", "user": "fay", "tenant": None, "role": "finance", "label": ""}
    server.on("POST /v1/users", Answer(status=201, body=user))
    server.on("POST /v1/keys", Answer(status=201, body=made))
    server.on("DELETE /v1/keys/key-1", Answer(status=204, text=""))
    assert client.create_user("operator", "fay", role="finance").tenant is None
    key = client.create_key("fay", tenant="operator")
    client.revoke_key("key-1")
    assert "ph_1_s" not in repr(key)
    assert server.asked[1].body == {"user": "fay", "label": ""}


def _book() -> dict[str, object]:
    prices = [{"type": "cpu", "tier": "on-demand", "micros": 280_000}]
    return {"id": "b", "currency": "CNY", "effective_ms": 0, "prices": prices}
