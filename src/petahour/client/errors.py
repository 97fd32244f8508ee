"""What can go wrong between a client and a control plane, beyond what the nouns already refuse."""

from __future__ import annotations

from petahour.model.errors import PetahourError


class ApiError(PetahourError):
    """The control plane refused: its problem document as an exception.

    ``status`` is the HTTP status; ``slug`` the kind of problem (``invalid``, ``impossible``, ``not-found`` ...).
    """

    def __init__(self, *, status: int, slug: str, field: str, value: object, rule: str, remedy: str) -> None:
        super().__init__(field=field, value=value, rule=rule, remedy=remedy)
        self.status = status
        self.slug = slug


class ProtocolError(PetahourError):
    """An answer that is not what a control plane of this version says: a proxy's page, or another program."""

    status = 502
    slug = "protocol"


class WaitTimeoutError(PetahourError):
    """A job did not reach the awaited state in the time given."""

    status = 504
    slug = "timeout"
