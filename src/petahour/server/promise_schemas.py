"""What requests about promises in time may say. Instants are dates and times with their zone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from petahour.server.schemas import Body, Text

Instant = Annotated[Text, Field(examples=["2027-01-01T00:00:00Z"])]


class MaintenanceBody(Body):
    nodes: list[Text] = Field(min_length=1, max_length=10_000, description="Names, or patterns such as a100-*.")
    begins: Instant = Field(alias="from")
    to: Instant
    reason: Text = ""
    empties: bool = Field(False, description="Stop what could not go on elsewhere, too.")
