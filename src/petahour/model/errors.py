"""Errors that a person can act on: the field, the value, the rule it broke and the remedy."""

from __future__ import annotations

from functools import partial


class PetahourError(Exception):
    """Anything Petahour refuses. ``status`` is the HTTP status a server answers with."""

    status = 500
    slug = "internal"

    def __init__(self, *, field: str, value: object, rule: str, remedy: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        self.remedy = remedy
        super().__init__(field, rule)

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross the border of a process whole."""
        return partial(type(self), field=self.field, value=self.value, rule=self.rule, remedy=self.remedy), ()

    def __str__(self) -> str:
        shown = "" if self.value is None else f" (got {_shorten(self.value)})"
        return f"{self.field}: {self.rule}{shown}. {self.remedy}"


class ValidationError(PetahourError):
    """The request can never be right as it stands."""

    status = 422
    slug = "invalid"


class ImpossibleError(ValidationError):
    """A well-formed job that this fleet or quota can never run."""

    slug = "impossible"


class UnauthenticatedError(PetahourError):
    """No key, or one that is not known."""

    status = 401
    slug = "unauthenticated"


class ForbiddenError(PetahourError):
    """A known caller without the right."""

    status = 403
    slug = "forbidden"


class NotFoundError(PetahourError):
    """There is none, or none that this caller may see."""

    status = 404
    slug = "not-found"


class ConflictError(PetahourError):
    """The request contradicts what is stored (a repeated key with other contents, a wrong state)."""

    status = 409
    slug = "conflict"


class FundsError(PetahourError):
    """The tenant's prepaid credit does not cover the hold."""

    status = 402
    slug = "insufficient-funds"


class TooLargeError(PetahourError):
    """A body, an environment or a queue beyond its limit."""

    status = 413
    slug = "too-large"


class OverloadedError(PetahourError):
    """A bound was reached; the same request may succeed later."""

    status = 429
    slug = "overloaded"


class StalePlanError(PetahourError):
    """A plan decided on a snapshot that no longer holds; the next pass decides anew."""

    status = 409
    slug = "stale-plan"


class NotLeaderError(PetahourError):
    """This replica of the control plane leads no longer, and writes nothing that only the leader may."""

    status = 503
    slug = "not-leader"


class UnavailableError(PetahourError):
    """A server that Petahour needs (the database, an engine) does not answer for now."""

    status = 503
    slug = "unavailable"


class InvariantError(PetahourError):
    """A promise of the design was broken: a defect, never the caller's fault."""

    status = 500
    slug = "invariant"

    def __init__(self, *, rule: str, value: object = None) -> None:
        super().__init__(
            field="invariant", value=value, rule=rule, remedy="Report this with the control plane's log."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), rule=self.rule, value=self.value), ()


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
