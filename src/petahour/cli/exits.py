"""Exit codes: what a script can tell from how a command ended."""

from __future__ import annotations

from enum import IntEnum

from petahour.model.errors import PetahourError


class ExitCode(IntEnum):
    """0 done; 1 the job (or a check, or a wait) did not end as hoped; 2 the command line is wrong; 3 refused;
    4 there is none; 5 no key, or one without the right; 6 the control plane does not answer; 130 Ctrl-C."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    NO_RIGHT = 5
    UNAVAILABLE = 6
    INTERRUPTED = 130


EXIT_HELP = (
    "Exit codes: 0 done; 1 the job failed or a check did not hold; 2 wrong usage; 3 refused; 4 not found; "
    "5 no valid key or no right; 6 the control plane does not answer; 130 interrupted."
)


def exit_code_of(error: PetahourError) -> ExitCode:
    """The exit code that an error ends a command with."""
    if error.slug == "timeout":
        return ExitCode.FAILED
    if error.status in (401, 403):
        return ExitCode.NO_RIGHT
    if error.status == 404:
        return ExitCode.NOT_FOUND
    return ExitCode.UNAVAILABLE if error.status >= 500 else ExitCode.REFUSED
