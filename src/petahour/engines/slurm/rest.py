"""Slurm by slurmrestd with a JSON web token. What it cannot carry, or will not for now, goes by command instead."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import httpx

from petahour.engines.slurm.commands import COMMAND_S, Commands, passing
from petahour.engines.slurm.reading import SlurmJob, SlurmNode, errors_of, jobs_of, nodes_of
from petahour.engines.slurm.settings import RestSettings
from petahour.engines.slurm.transport import Submission, away, refused
from petahour.model.errors import UnavailableError

log = logging.getLogger("petahour.slurm")

_Answer = TypeVar("_Answer")
_REQUEST_ERRORS = range(2_000, 3_000)  # slurm_errno.h: errors of a job's request
SKEW_S = 5  # by how much the clocks of slurmctld and this host may differ
WHOLE_EVERY_S = 15.0  # all jobs are asked for now and then, whatever the clocks say


class Rest:
    """slurmrestd first, the command line when it does not answer; both say the same."""

    def __init__(self, settings: RestSettings, commands: Commands) -> None:
        self._settings = settings
        self._commands = commands
        self._base = f"{settings.url}/slurm/{settings.version}"
        self._http = httpx.Client(timeout=COMMAND_S, limits=httpx.Limits(max_keepalive_connections=0))
        self._token = ""
        self._asked_s = 0
        self._whole_s = 0.0
        self._by_command = False

    def jobs(self) -> Sequence[SlurmJob] | None:
        return self._either(self._jobs, self._commands.jobs)

    def nodes(self) -> Sequence[SlurmNode]:
        return self._either(lambda: nodes_of(self._ask("GET", "/nodes")), self._commands.nodes)

    def switches(self) -> Mapping[str, str]:
        # slurmrestd does not tell of them. Where the commands are not installed either, there are none.
        return self._commands.switches() if shutil.which("scontrol") else {}

    def submit(self, submission: Submission) -> int:
        return self._either(lambda: self._submit(submission), lambda: self._commands.submit(submission))

    def cancel(self, jobs: Sequence[int]) -> None:
        if len(jobs) > 1:
            self._commands.cancel(jobs)  # one command for all; slurmrestd takes one job a request
        else:
            self._either(lambda: self._cancel(jobs), lambda: self._commands.cancel(jobs))

    def drain(self, node: str, reason: str) -> None:
        self._commands.drain(node, reason)

    def resume(self, node: str) -> None:
        self._commands.resume(node)

    def close(self) -> None:
        self._http.close()

    def _either(self, by_rest: Callable[[], _Answer], by_command: Callable[[], _Answer]) -> _Answer:
        """By slurmrestd; when it does not answer, by command. Which of them carries is logged when it changes."""
        try:
            answer = by_rest()
        except UnavailableError as error:
            if not self._by_command:
                log.warning("slurmrestd does not serve, going on by command: %s", error.rule)
            self._by_command = True
            self._asked_s = 0
            return by_command()
        if self._by_command:
            log.warning("slurmrestd serves again")
            self._by_command = False
        return answer

    # -- requests ------------------------------------------------------------------------------------------

    def _jobs(self) -> Sequence[SlurmJob] | None:
        """Only when something has changed: slurmctld knows the second in which any job last did."""
        now_s = time.time()
        if time.monotonic() - self._whole_s > WHOLE_EVERY_S:
            self._asked_s, self._whole_s = 0, time.monotonic()
        answer = self._send("GET", "/jobs", params={"update_time": str(self._asked_s)} if self._asked_s else {})
        unchanged = answer.status_code == httpx.codes.NOT_MODIFIED
        found = None if unchanged else jobs_of(self._checked(answer))
        self._asked_s = int(now_s) - SKEW_S
        return found

    def _submit(self, submission: Submission) -> int:
        job: dict[str, object] = {
            "name": submission.name,
            "comment": submission.comment,
            "partition": submission.partition,
            "nodes": submission.node_count,
            "tasks_per_node": 1,
            "cpus_per_task": submission.cpus_per_node,
            "memory_per_node": submission.memory_mb_per_node,
            "standard_output": str(submission.output),
            "open_mode": "append",
            "current_working_directory": "/",
            "environment": dict(submission.environment),
            "requeue": False,
        }
        more = {
            "nodelist": None if submission.nodes is None else ",".join(submission.nodes),
            "gres": submission.gres,
            "account": submission.account,
            "qos": submission.qos,
            "time_limit": submission.time_limit_minutes,
            "exclusive": "true" if submission.exclusive else None,
            "required_switches": 1 if submission.one_switch else None,
        }
        job |= {name: value for name, value in more.items() if value is not None}
        answer = self._send("POST", "/job/submit", content=json.dumps({"script": submission.script, "job": job}))
        document = _document(answer)
        codes, words = _error_codes(document), errors_of(document)
        if codes and all(code in _REQUEST_ERRORS for code in codes) and not passing(words):
            raise refused(submission.name, words)
        found = self._checked(answer)
        number = found.get("job_id") if isinstance(found, dict) else None
        if not isinstance(number, int):
            raise away("slurmrestd gave no job number")
        return number

    def _cancel(self, jobs: Sequence[int]) -> None:
        for job in jobs:
            self._send("DELETE", f"/job/{job}")

    def _ask(self, method: str, path: str) -> object:
        return self._checked(self._send(method, path))

    def _send(self, method: str, path: str, **rest: object) -> httpx.Response:
        """One request; once more with a new token when the first was refused, as an old one says no reason."""
        answer = self._once(method, path, **rest)
        if _refuses(answer):
            self._token = ""
            answer = self._once(method, path, **rest)
        return answer

    def _once(self, method: str, path: str, **rest: object) -> httpx.Response:
        headers = {
            "X-SLURM-USER-NAME": self._settings.user,
            "X-SLURM-USER-TOKEN": self._fresh_token(),
            "Content-Type": "application/json",
        }
        try:
            return self._http.request(method, self._base + path, headers=headers, **rest)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise away(f"slurmrestd: {type(error).__name__} {error}") from None

    def _checked(self, answer: httpx.Response) -> object:
        document = _document(answer)
        words = errors_of(document)
        if words or answer.status_code >= 400:
            raise away(f"slurmrestd: {words or answer.status_code}")
        return document

    def _fresh_token(self) -> str:
        """The token: a file is read each time, as something else renews it; a command is run when one is needed."""
        if self._settings.token_file is not None:
            try:
                return _bare(self._settings.token_file.read_text("utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise away(f"the token file cannot be read: {error}") from None
        if not self._token:
            self._token = self._commanded_token()
        return self._token

    def _commanded_token(self) -> str:
        try:
            done = subprocess.run(
                self._settings.token_command, capture_output=True, text=True, timeout=COMMAND_S, check=True
            )
        except (OSError, subprocess.SubprocessError):
            # What it printed is left out: it may be the token.
            raise away("the token command failed") from None
        return _bare(done.stdout)


def _bare(text: str) -> str:
    """``SLURM_JWT=...`` as `scontrol token` prints it, or the token alone."""
    return text.strip().removeprefix("SLURM_JWT=")


def _document(answer: httpx.Response) -> object:
    try:
        # What follows the document on a connection that is to be closed is not part of it.
        document: object = json.JSONDecoder().raw_decode(answer.text.lstrip())[0]
    except ValueError:
        raise away(f"slurmrestd: status {answer.status_code} and no JSON") from None
    return document


def _refuses(answer: httpx.Response) -> bool:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return True
    return answer.status_code >= 500 and not any(code in _REQUEST_ERRORS for code in _error_codes(_document(answer)))


def _error_codes(document: object) -> list[int]:
    found = document.get("errors") if isinstance(document, dict) else None
    codes = []
    for error in found if isinstance(found, list) else []:
        code = error.get("error_code", error.get("error_number")) if isinstance(error, dict) else None
        if isinstance(code, int):
            codes.append(code)
    return codes
