"""Jobs that wait for jobs, and arrays, on a real control plane that is killed in between."""

from __future__ import annotations

from typing import Any

from tests.integration.faults.plane import FINAL, Plane, marks, rank_command, require_once


def test_a_chain_runs_in_order_and_what_cannot_start_is_cancelled(plane: Plane) -> None:
    directory = plane.found_tenant()
    first = plane.submit(rank_command(2))
    second = plane.submit(rank_command(0.1, 3), after_ok=[first])
    third = plane.submit(rank_command(0.1), after_ok=[second])
    fourth = plane.submit(rank_command(0.1), after_ok=[third])
    anyway = plane.submit(rank_command(0.1), after_any=[second])
    plane.until(lambda: _code(plane, second) == "dependency", 10, "the reason")
    assert plane.job(second)["hold"]["text"] == f"starts when {first} has succeeded"

    plane.kill()
    plane.start()

    states = {job["id"]: (job["state"], job["message"]) for job in plane.await_drained(60)}
    assert states[first][0] == "succeeded"
    assert states[second][0] == "failed"
    assert states[third][0] == states[fourth][0] == "cancelled"
    assert states[anyway][0] == "succeeded"
    assert plane.job(third)["history"][-1]["cause"] == f"{second}, which it waited for, did not succeed"
    begun = [allocation for mark, allocation, _ in marks(directory) if mark == "start"]
    assert begun[0].startswith(first.replace("job", "alloc"))
    require_once(directory)
    plane.require_sound()


def test_an_array_runs_so_many_at_once_and_all_of_it(plane: Plane) -> None:
    plane.found_tenant()
    command = ["sh", "-c", 'echo "$PETAHOUR_ARRAY_INDEX of $PETAHOUR_ARRAY_SIZE"; sleep 0.5']
    first = plane.submit(command, array="2-6%1", key="once")
    array = first.rpartition("-")[0]
    assert plane.submit(command, array="2-6%1", key="once") == first
    plane.until(lambda: _code(plane, f"{array}-6") == "array", 10, "the reason")

    most = 0

    def over() -> bool:
        nonlocal most
        states = [job["state"] for job in plane.get(f"/v1/jobs?array={array}")["jobs"]]
        most = max(most, sum(state in ("starting", "running", "stopping") for state in states))
        return len(states) == 5 and all(state in FINAL for state in states)

    plane.until(lambda: plane.job(first)["state"] == "succeeded", 30, "the first one")
    plane.kill()
    plane.start()
    plane.until(over, 60, "the array")
    assert most == 1
    assert {job["state"] for job in plane.jobs()} == {"succeeded"}
    assert plane.get(f"/v1/jobs/{array}-4/logs")["text"] == "4 of 5\n"
    plane.require_sound()


def test_cancelling_an_array_leaves_nothing_of_it(plane: Plane) -> None:
    plane.found_tenant()
    first = plane.submit(rank_command(60), array="0-9%1")
    plane.await_state(first, "running")
    plane.post(f"/v1/jobs/{first.rpartition('-')[0]}/cancel", {})
    assert {job["state"] for job in plane.await_drained(30)} == {"cancelled"}


def test_whom_nobody_may_wait_for(plane: Plane) -> None:
    plane.found_tenant()
    failed = plane.submit(["sh", "-c", "exit 1"])
    plane.await_state(failed, "failed")
    for field, wanted, status in (("after_ok", failed, 422), ("after_any", "job-0", 404)):
        answer = plane.request("POST", "/v1/jobs", json={"tenant": "acme", "command": ["true"], field: [wanted]})
        assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    for text in ("9-1", "a", "0-9%0", "", "0-99999"):
        answer = plane.request("POST", "/v1/jobs", json={"tenant": "acme", "command": ["true"], "array": text})
        assert answer.status_code in (413, 422), answer.text
        assert answer.json()["field"] == "array"


def _code(plane: Plane, job: str) -> Any:
    hold = plane.job(job)["hold"]
    return hold and hold["code"]
