"""Bad input gets one clear error, and nothing of it is stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.api.conftest import Api

GOOD: dict[str, Any] = {"command": ["true"], "types": ["a100-80g-sxm"]}
BAD_JOBS: list[tuple[str, dict[str, Any]]] = [
    ("comand", {"comand": ["true"]}),
    ("command", {"command": []}),
    ("command", {"command": ["a\0b"]}),
    ("command", {"command": "true"}),
    ("command", {"command": ["x" * 200_000]}),
    ("gang.nodes", {"gang": {"nodes": -1}}),
    ("gang.nodes", {"gang": {"nodes": 0}}),
    ("gang.accelerators_per_node", {"gang": {"accelerators_per_node": True}}),
    ("gang.accelerators_per_node", {"gang": {"accelerators_per_node": 1.5}}),
    ("gang.gpus", {"gang": {"gpus": 8}}),
    ("gang", {"gang": {"nodes": 3, "accelerators_per_node": 4}}),
    ("types", {"types": ["a100"]}),
    ("types", {"types": []}),
    ("types", {"types": ["cpu", "cpu"]}),
    ("walltime", {"walltime": "0s"}),
    ("walltime", {"walltime": 0}),
    ("walltime", {"walltime": "-1h"}),
    ("walltime", {"walltime": "soon"}),
    ("walltime", {"walltime": "NaN"}),
    ("grace", {"grace": "9h"}),
    ("tier", {"tier": "free"}),
    ("priority", {"priority": 101}),
    ("priority", {"priority": 10**30}),
    ("retries", {"retries": -1}),
    ("workdir", {"workdir": ".."}),
    ("workdir", {"workdir": "/etc"}),
    ("workdir", {"workdir": "missing"}),
    ("workdir", {"workdir": "a\0b"}),
    ("checkpoint_dir", {"checkpoint_dir": "../../other"}),
    ("preemption_signal", {"preemption_signal": "SIGKILL"}),
    ("memory", {"memory": "lots"}),
    ("memory", {"memory": "0GiB"}),
    ("name", {"name": "no spaces"}),
    ("project", {"project": "none-such"}),
    ("environment", {"environment": {f"V{number}": "x" for number in range(2000)}}),
    ("environment.PETAHOUR_JOB_ID", {"environment": {"PETAHOUR_JOB_ID": "mine"}}),
    ("environment.1x", {"environment": {"1x": "y"}}),
    ("environment.A", {"environment": {"A": "\0"}}),
    ("environment.A", {"environment": {"A": 1}}),
]


def require_problem(answer: Any, field: str | None = None) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["rule"]
    assert problem["remedy"]
    assert "Traceback" not in answer.text
    if field is not None:
        assert problem["field"].startswith(field), problem


@pytest.mark.parametrize(("field", "change"), BAD_JOBS, ids=[f"{field}-{n}" for n, (field, _) in enumerate(BAD_JOBS)])
def test_a_bad_job_is_refused_and_not_stored(api: Api, field: str, change: dict[str, Any]) -> None:
    before = api.counts()
    require_problem(api.ask("member", "POST", "/v1/jobs", json={**GOOD, **change}), field)
    assert api.counts() == before


def test_an_unknown_type_comes_with_the_names_that_are_close(api: Api) -> None:
    answer = api.ask("member", "POST", "/v1/jobs", json={**GOOD, "types": ["a100"]})
    assert "a100-80g-sxm" in answer.json()["remedy"]


def test_a_link_that_leads_out_of_the_project_is_refused(api: Api) -> None:
    project = Path(api.ask("member", "GET", "/v1/tenants/acme/projects").json()["projects"][0]["directory"])
    (project / "door").symlink_to("/")
    require_problem(api.ask("member", "POST", "/v1/jobs", json={**GOOD, "workdir": "door/etc"}), "workdir")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe not utf-8",
        b'{"command": ["\xff"]}',
        b"{",
        b"",
        b"[]",
        b"null",
        b'{"command": ["true"], "priority": NaN}',
        b'{"command": ["\\ud800"]}',
        b'{"command": ["true"], "name": "\\udfff"}',
        b'{"command": ["true"], "environment": {"A": "\\ud800"}}',
        b"[" * 50_000,
    ],
    ids=str,
)
def test_a_body_that_is_no_job_is_refused(api: Api, body: bytes) -> None:
    before = api.counts()
    headers = {"Content-Type": "application/json"}
    require_problem(api.ask("member", "POST", "/v1/jobs", content=body, headers=headers))
    assert api.counts() == before


def test_ten_megabytes_are_refused_declared_or_streamed(api: Api) -> None:
    before = api.counts()
    body = json.dumps({**GOOD, "environment": {"A": "x" * 10_000_000}}).encode()
    headers = {"Content-Type": "application/json"}
    answer = api.ask("member", "POST", "/v1/jobs", content=body, headers=headers)
    assert answer.status_code == 413
    pieces = (body[place : place + 65_536] for place in range(0, len(body), 65_536))
    answer = api.ask("member", "POST", "/v1/jobs", content=pieces, headers=headers)
    assert answer.status_code == 413
    assert api.counts() == before


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("amount", {"amount": "NaN"}),
        ("amount", {"amount": "-5"}),
        ("amount", {"amount": "0"}),
        ("amount", {"amount": "1e400"}),
        ("amount", {"amount": "0.0000001"}),
        ("amount", {"amount": "ten"}),
        ("currency", {"currency": "USD"}),
        ("currency", {"currency": "XXX"}),
        ("key", {"key": ""}),
    ],
)
def test_a_bad_topup_is_refused(api: Api, field: str, change: dict[str, str]) -> None:
    before = api.counts()
    body = {"amount": "5", "currency": "CNY", "key": "k", **change}
    require_problem(api.ask("finance", "POST", "/v1/tenants/acme/topups", json=body), field)
    assert api.counts() == before


def test_a_repeated_topup_is_one_credit_and_another_amount_a_conflict(api: Api) -> None:
    body = {"amount": "5", "currency": "CNY", "key": "k"}
    for _ in range(3):
        answer = api.ask("finance", "POST", "/v1/tenants/acme/topups", json=body)
        assert answer.json()["balance"]["posted_micros"] == 5_000_000
    answer = api.ask("finance", "POST", "/v1/tenants/acme/topups", json={**body, "amount": "6"})
    assert answer.status_code == 409
    require_problem(answer, "key")


def test_a_repeated_submission_is_one_job_and_another_job_a_conflict(api: Api) -> None:
    headers = {"Idempotency-Key": "first"}
    made = api.ask("member", "POST", "/v1/jobs", json=GOOD, headers=headers)
    again = api.ask("member", "POST", "/v1/jobs", json=GOOD, headers=headers)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"]
    other = api.ask("member", "POST", "/v1/jobs", json={**GOOD, "priority": 1}, headers=headers)
    assert other.status_code == 409
    strangers = api.ask("stranger", "POST", "/v1/jobs", json=GOOD, headers=headers)
    assert strangers.status_code == 201


def test_another_tenants_things_do_not_exist(api: Api) -> None:
    job = api.ask("member", "POST", "/v1/jobs", json=GOOD).json()["id"]
    for method, path in (("GET", ""), ("GET", "/logs"), ("POST", "/cancel")):
        answer = api.ask("stranger", method, f"/v1/jobs/{job}{path}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == api.ask("stranger", method, f"/v1/jobs/job-none{path}").json()["detail"]
    assert api.ask("stranger", "GET", "/v1/jobs").json()["jobs"] == []
    assert api.ask("stranger", "GET", "/v1/jobs?tenant=acme").status_code == 404
    assert [item["name"] for item in api.ask("stranger", "GET", "/v1/tenants").json()["tenants"]] == ["beta"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
fields = ["command", "gang", "types", "tier", "walltime", "environment", "workdir", "name", "memory", "priority"]


@given(body=json_values | st.dictionaries(st.sampled_from(fields), json_values))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_the_server(api: Api, body: object) -> None:
    answer = api.ask("member", "POST", "/v1/jobs", json=body)
    assert answer.status_code < 500, answer.text
