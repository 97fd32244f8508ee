"""Quotes through the API: made, kept, used once, compared with what was charged, and learned from."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from tests.integration.api.conftest import Api

MODEL = {"model": "llama-2-7b", "tokens": "10B", "gang": 8, "types": ["a100-80g-sxm", "ascend-910b3"]}
WIDE = {"nodes": 2, "accelerators_per_node": 4}
PROGRAM = "import time\nfor _ in range(8):\n time.sleep(0.05)\n print('petahour: 10 steps in 0.05 s', flush=True)\n"


@pytest.fixture
def running(api: Api) -> Api:
    """The API with its control loop at work, and a tenant with credit."""
    api.assembly.loop.start()
    api.make("/v1/tenants/acme/topups", {"amount": "100", "currency": "CNY", "key": "k-1"})
    return api


def run(api: Api, **fields: Any) -> Any:
    """Submit a job and wait until it is over."""
    answer = api.ask("member", "POST", "/v1/jobs", json={"command": [sys.executable, "-c", PROGRAM], **fields})
    assert answer.status_code == 201, answer.text
    job, deadline_s = answer.json(), time.monotonic() + 30
    while job["state"] not in ("succeeded", "failed", "cancelled"):
        assert time.monotonic() < deadline_s, job
        time.sleep(0.05)
        job = api.ask("member", "GET", f"/v1/jobs/{job['id']}").json()
    return job


def quote(api: Api, who: str = "member", **fields: Any) -> Any:
    answer = api.ask(who, "POST", "/v1/quotes", json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_model_is_quoted_with_prices_start_and_an_interval(api: Api) -> None:
    made = quote(api, **MODEL)
    line = next(one for one in made["lines"] if one["type"] == "a100-80g-sxm")
    assert (line["accelerators"], line["nodes"], line["per_node"]) == (8, 2, 4)
    assert line["run_ms"]["low"] < line["run_ms"]["expected"] < line["run_ms"]["high"]
    assert {price["tier"] for price in line["prices"]} == {"on-demand", "reserved", "spot"}
    assert line["start"]["median_ms"] == made["created_ms"]
    elsewhere = next(one for one in made["lines"] if one["type"] == "ascend-910b3")
    assert "no ascend-910b3" in elsewhere["start"]["never"]
    assert made["lines"][-1] == elsewhere
    assert api.ask("member", "GET", f"/v1/quotes/{made['id']}").json() == made
    assert api.ask("member", "GET", "/v1/quotes").json()["quotes"] == [made]


def test_without_a_gang_every_size_of_the_fleet_is_tried(api: Api) -> None:
    request = {"model": "llama-3.2-1b", "tokens": "1B", "types": ["a100-80g-sxm"]}
    fastest = quote(api, **request, objective="fastest")["lines"][0]
    assert fastest["accelerators"] == 8
    cheapest = quote(api, **request, objective="cheapest")["lines"][0]
    sizes = [choice["accelerators"] for choice in cheapest["choices"]]
    spent = [choice["accelerators"] * choice["run_ms"] for choice in cheapest["choices"]]
    assert sizes == sorted(sizes)
    assert spent == sorted(spent)
    assert {cheapest["accelerators"], 8} <= set(sizes)
    assert cheapest["accelerator_ms"]["expected"] <= fastest["accelerator_ms"]["expected"]


def test_an_operator_who_names_no_tenant_is_told_the_option(api: Api) -> None:
    answer = api.ask("operator", "POST", "/v1/quotes", json=MODEL)
    assert answer.json()["field"] == "tenant"
    assert "--tenant" in answer.json()["remedy"]
    assert quote(api, "operator", **MODEL, tenant="acme")["tenant"] == "acme"


def test_a_deadline_is_met_by_the_cheapest_that_can_and_missed_by_the_fastest(api: Api) -> None:
    request = {"model": "llama-3.2-1b", "tokens": "1B", "types": ["a100-80g-sxm"]}
    choices = quote(api, **request)["lines"][0]["choices"]
    slow, fast = max(one["run_ms"] for one in choices), min(one["run_ms"] for one in choices)
    assert fast < slow
    met = quote(api, **request, deadline=f"{(slow - 1) // 1000}s")
    line = met["lines"][0]
    assert (line["late"], met["deadline_ms"]) == (False, (slow - 1) // 1000 * 1000)
    assert line["run_ms"]["expected"] <= met["deadline_ms"]
    missed = quote(api, **request, deadline="1s")["lines"][0]
    assert (missed["late"], missed["run_ms"]["expected"]) == (True, fast)
    assert missed["notes"][0] == "no size on this type meets the deadline of 1.0s; the fastest is shown"
    never = quote(api, **MODEL, tier="reserved")["lines"]
    assert all(one["start"]["never"] for one in never)


def test_the_expected_start_is_after_what_runs_before_it(running: Api) -> None:
    body = {"command": ["sleep", "60"], "gang": {"nodes": 2, "accelerators_per_node": 4}, "walltime": "1m"}
    running.ask("member", "POST", "/v1/jobs", json={**body, "types": ["a100-80g-sxm"]})
    deadline_s = time.monotonic() + 20
    while not running.assembly.context.live.state.running:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    made = quote(running, **{**MODEL, "types": ["a100-80g-sxm"]})
    start = made["lines"][0]["start"]
    assert made["created_ms"] < start["median_ms"] <= made["created_ms"] + 90_000
    assert start["earliest_ms"] <= start["median_ms"] <= start["latest_ms"]


def test_a_measured_program_is_quoted_run_compared_and_learned_from(running: Api) -> None:
    calibration = run(running, name="trainer")
    seen = running.ask("member", "GET", f"/v1/jobs/{calibration['id']}/throughput").json()
    assert (seen["unit"], seen["accelerators"], seen["stretches"]) == ("steps", 1, 7)
    request = {"measured": calibration["id"], "amount": 80}
    first = quote(running, **request)
    assert first["work"] == "acme/trainer"
    assert first["lines"][0]["own_runs"] == 0

    job = run(running, name="long", quote=first["id"])
    found = running.ask("member", "GET", "/v1/quote-accuracy").json()
    (outcome,) = found["outcomes"]
    charged = running.ask("member", "GET", "/v1/tenants/acme/usage").json()["records"]
    assert outcome["job"] == job["id"]
    assert outcome["charged_micros"] == sum(one["amount_micros"] for one in charged if one["job"] == job["id"])
    (billed, *_) = [one for one in charged if one["job"] == job["id"]]
    explained = running.ask("member", "GET", f"/v1/explain/charge/{billed['charge']}")
    assert (explained.status_code, explained.json()["job"]["id"]) == (200, job["id"])
    assert outcome["run_ms"] == sum(one["billed_ams"] for one in charged if one["job"] == job["id"])
    if outcome["set_aside"] is None:  # As on any machine that is not too busy to run it.
        assert found["coverage"] == float(outcome["within"])
        assert found["mape"] == abs(outcome["error"])

    shown, line = job["quoted"], first["lines"][0]
    promised_ms = min(line["run_ms"]["high"], 2 * line["run_ms"]["expected"])
    assert (shown["quote"], shown["type"], shown["accelerators"]) == (first["id"], "cpu", 1)
    assert shown["run_ms"] == line["run_ms"]
    assert shown["total_micros"] == next(one["total_micros"] for one in line["prices"] if one["tier"] == "on-demand")
    assert (shown["ran_ms"], shown["spent_micros"]) == (outcome["run_ms"], outcome["charged_micros"])
    assert (shown["price_book"], shown["promised_ms"]) == (first["price_book"], promised_ms)
    assert calibration["quoted"] is None
    assert running.ask("stranger", "GET", f"/v1/jobs/{job['id']}").status_code == 404

    second = quote(running, **request)["lines"][0]
    ratio = outcome["run_ms"] / first["lines"][0]["modelled_ms"]
    learned = 0.5 <= ratio <= 2
    assert (outcome["set_aside"] is None) is learned
    assert second["own_runs"] == int(learned)
    assert second["correction"] == pytest.approx(ratio ** (1 / 3) if learned else 1.0, rel=1e-6)
    # The hour's other runs under no quote teach nothing, and another tenant sees nothing of this.
    assert running.ask("stranger", "GET", "/v1/quote-accuracy").json()["outcomes"] == []


def test_a_run_that_is_no_fair_sample_is_named_and_teaches_nobody(running: Api) -> None:
    model = {**MODEL, "types": ["a100-80g-sxm"]}
    before = quote(running, **model)
    rehearsed = run(running, command=["true"], quote=before["id"], types=["a100-80g-sxm"], gang=WIDE)
    plain = quote(running, hours=1.0, gang=1, types=["cpu"])
    short = run(running, command=["true"], quote=plain["id"])
    found = running.ask("member", "GET", "/v1/quote-accuracy").json()
    reasons = {one["job"]: one["set_aside"] for one in found["outcomes"]}
    assert "rehearsal" in reasons[rehearsed["id"]]
    assert "as long as was quoted" in reasons[short["id"]]
    assert (found["mape"], found["bias"], found["coverage"]) == (None, None, None)
    again = quote(running, **model)["lines"][0]
    assert (again["own_runs"], again["correction"]) == (0, 1.0)
    assert again["run_ms"] == before["lines"][0]["run_ms"]


def test_a_metered_run_tells_its_power_or_why_not(running: Api) -> None:
    """This machine may have an energy counter of its processors or none; the line is there either way, and last."""
    job = run(running, name="metered", meter_power=True)
    text = running.ask("member", "GET", f"/v1/jobs/{job['id']}/logs").json()["text"]
    assert text.splitlines()[-1].startswith("petahour: power ")
    seen = running.ask("member", "GET", f"/v1/jobs/{job['id']}/throughput").json()
    line = quote(running, measured=job["id"], amount=80)["lines"][0]
    if seen["power_w"] is None:
        assert "RAPL" in seen["power_unknown"] or "told it less than twice" in seen["power_unknown"]
        assert line["energy_kwh"] is None
        assert seen["power_unknown"] in line["notes"][0]
    else:
        assert seen["power_by"] == "rapl"
        assert seen["joules"] == pytest.approx(seen["power_w"] * seen["run_ms"] / 1000)
        assert line["energy_kwh"] > 0
    show = run(running, name="show", meter_power=True, types=["a100-80g-sxm"])
    seen = running.ask("member", "GET", f"/v1/jobs/{show['id']}/throughput").json()
    assert (seen["power_w"], seen["power_unknown"]) == (None, "rehearsal nodes have no devices to meter")


def test_a_job_that_runs_shows_what_was_quoted_beside_what_it_took_so_far(running: Api) -> None:
    made = quote(running, hours=1.0, gang=2, types=["cpu"])
    body = {"command": ["sleep", "60"], "quote": made["id"], "types": ["cpu"]}
    job = running.ask("member", "POST", "/v1/jobs", json={**body, "gang": {"nodes": 1, "accelerators_per_node": 2}})
    assert job.json()["state"] == "queued"
    deadline_s, shown = time.monotonic() + 20, {"ran_ms": 0}
    while shown["ran_ms"] < 200:
        assert time.monotonic() < deadline_s
        shown = running.ask("viewer", "GET", f"/v1/jobs/{job.json()['id']}").json()["quoted"]
    # Two cores at 0.28 CNY an hour, rounded up to a micro-unit.
    assert shown["spent_micros"] == -(-280_000 * 2 * shown["ran_ms"] // 3_600_000)
    assert shown["run_ms"]["expected"] == 1_800_000
    assert shown["price_book"] == made["price_book"]


def test_a_quote_is_for_one_job_of_its_type_gang_and_time(running: Api) -> None:
    made = quote(running, hours=1.0, gang=2, types=["cpu"])
    body = {"command": ["true"], "quote": made["id"]}

    def refusal(**fields: Any) -> tuple[int, str]:
        answer = running.ask("member", "POST", "/v1/jobs", json={**body, **fields})
        return answer.status_code, answer.json().get("rule", "")

    wide = {"nodes": 1, "accelerators_per_node": 2}
    assert refusal(types=["cpu"]) == (409, "the gang of the quote: 2 x cpu")
    assert refusal(types=["a100-80g-sxm"], gang=wide) == (409, "types of the quote: cpu")
    assert refusal(quote="quote-none", gang=wide)[0] == 404
    assert refusal(gang={**wide, "exclusive": True})[0] == 409
    assert refusal(gang=wide, array="0-1") == (409, "one job under a quote")
    assert refusal(gang=wide)[0] == 201
    assert refusal(gang=wide)[0] == 409
    assert running.ask("stranger", "GET", f"/v1/quotes/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "model"),
        ({"model": "llama-2-7b", "tokens": "2 T T", "types": ["a100-80g-sxm"], "gang": 8}, "tokens"),
        ({"model": "llama-2-70b", "tokens": "2T", "types": ["a100-80g-sxm"], "gang": 1}, "gang"),
        ({"model": "llama-2-7b", "tokens": "2T", "types": ["ascend-910b3"]}, "gang"),
        ({"model": "llama-2-7b", "tokens": "2T", "types": ["br106"], "gang": 8}, "types"),
        ({"config": {"model_type": "resnet"}, "tokens": "2T", "gang": 8}, "config.model_type"),
        ({"measured": "job-none", "amount": 5}, "job"),
        ({"hours": -1.0}, "hours"),
        ({"model": "llama-2-70b", "tokens": "10000T", "types": ["a100-80g-sxm"], "gang": 16}, "tokens"),
        ({"hours": 1.0, "surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_request_is_refused_and_nothing_is_kept(api: Api, body: dict[str, Any], field: str) -> None:
    before = api.counts()
    answer = api.ask("member", "POST", "/v1/quotes", json=body)
    assert answer.status_code in (404, 422)
    assert field in answer.json()["field"]
    assert answer.json()["remedy"]
    assert api.counts() == before


def test_a_config_with_what_is_no_json_number_is_refused(api: Api) -> None:
    body = '{"tokens": "1B", "gang": 8, "types": ["cpu"], "config": {"model_type": "llama", "hidden_size": %s}}'
    for figure in ("NaN", "Infinity", "1e999"):
        answer = api.ask(
            "member", "POST", "/v1/quotes", content=body % figure, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["remedy"]


def test_a_job_that_told_nothing_or_failed_is_no_calibration(running: Api) -> None:
    silent = run(running, command=["true"])
    answer = running.ask("member", "POST", "/v1/quotes", json={"measured": silent["id"], "amount": 5})
    assert (answer.status_code, answer.json()["field"]) == (422, "output")
    failed = run(running, command=["false"])
    answer = running.ask("member", "POST", "/v1/quotes", json={"measured": failed["id"], "amount": 5})
    assert (answer.status_code, answer.json()["field"]) == (409, "measured")
