"""What requests about promises in time may say. Instants are dates and times with their zone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from petahour.server.schemas import Body, Text, Whole

Instant = Annotated[Text, Field(examples=["2027-01-01T00:00:00Z"])]


class MaintenanceBody(Body):
    nodes: list[Text] = Field(min_length=1, max_length=10_000, description="Names, or patterns such as a100-*.")
    begins: Instant = Field(alias="from")
    to: Instant
    reason: Text = ""
    empties: bool = Field(False, description="Stop what could not go on elsewhere, too.")


class ReservationBody(Body):
    tenant: Text
    type: Text
    count: Whole | None = Field(None, description="Accelerators; or nodes and per_node.")
    nodes: Whole | None = None
    per_node: Whole | None = None
    begins: Instant | None = Field(None, alias="from", description="A whole hour of UTC; now without it.")
    to: Instant | None = Field(None, description="A whole hour of UTC; or months.")
    months: Whole | None = None
    price: Text | None = Field(None, description="Agreed per accelerator-hour; else that of the price book.")
    lends: bool = Field(False, description="What is unused may be lent to spot.")
    renews: bool = Field(False, description="It is renewed month by month, at its price.")
    share: Text | None = Field(None, description="Agreed per cent of what lent seats earn; else that of the book.")


class RenewBody(Body):
    renews: bool = Field(description="Whether it is renewed month by month.")


class ConfirmBody(Body):
    price: Text | None = None


class EndBody(Body):
    fee_micros: int | None = Field(None, ge=0, description="The fee agreed to: refused where it is more by now.")


class ExtendBody(Body):
    to: Instant


class LendBody(Body):
    lends: bool = Field(description="Whether what is unused is lent to spot from now on.")


class UpgradeBody(Body):
    count: Whole
    price: Text | None = None
