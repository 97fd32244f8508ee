"""Retries: often enough to ride out a restart, never so that a thing is done twice."""

from __future__ import annotations

import socket

import pytest
from tests.unit.client.answering import Answer, AnsweringServer, job, problem

from petahour.client import ApiError, Client, JobRequest, UnavailableError

BUSY = problem(503, "unavailable", field="database", value=None, rule="it is away", remedy="Try again.")


def test_nothing_listening_is_told_with_the_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        pauses: list[float] = []
        with Client(url, "ph_a_b", sleep=pauses.append) as client, pytest.raises(UnavailableError) as caught:
            client.whoami()
    assert url in str(caught.value)
    assert "petahour up" in str(caught.value)
    assert pauses == [0.1, 0.2, 0.4, 0.8]


def test_a_submit_survives_a_broken_connection_under_one_key(
    client: Client, server: AnsweringServer, pauses: list[float]
) -> None:
    server.on("POST /v1/jobs", Answer(hang_up=True), BUSY, Answer(body=job()))
    client.submit(JobRequest(command=("true",)))
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
    assert len(server.asked) == 3
    assert pauses == [0.1, 0.2]


def test_creating_a_user_is_not_repeated(client: Client, server: AnsweringServer, pauses: list[float]) -> None:
    server.on("POST /v1/tenants/acme/users", Answer(hang_up=True))
    with pytest.raises(UnavailableError, match="connection broke"):
        client.create_user("acme", "ann", role="member")
    server.on("POST /v1/tenants/acme/users", BUSY)
    with pytest.raises(ApiError, match="it is away"):
        client.create_user("acme", "ann", role="member")
    assert len(server.asked) == 2
    assert pauses == []


def test_retry_after_is_kept_within_its_bound(client: Client, server: AnsweringServer, pauses: list[float]) -> None:
    busy = [Answer(status=503, body={}, headers={"Retry-After": text}) for text in ("1", "3600", "soon")]
    server.on("GET /v1/whoami", *busy, Answer(body={"user": "a", "role": "member", "tenant": "t"}))
    assert client.whoami().user == "a"
    assert pauses == [1.0, 2.0, 0.4]


def test_it_ends(client: Client, server: AnsweringServer) -> None:
    server.on("GET /v1/whoami", BUSY)
    with pytest.raises(ApiError) as caught:
        client.whoami()
    assert caught.value.status == 503
    assert len(server.asked) == 5


def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = Client(url, "ph_a_b", timeout_s=0.05, retries=0)
        with client, pytest.raises(UnavailableError, match="no answer in time"):
            client.whoami()


def test_a_proxy_of_the_environment_is_not_asked_for_this_host(
    server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.on("GET /healthz", Answer(body={"status": "ok", "version": "9"}))
    with Client(server.url, "") as client:
        assert client.version() == "9"
    assert "Authorization" not in server.asked[0].headers
