"""Quotes as requests say them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from petahour.model.quotes import QuoteRequest
from petahour.server.schemas import Body, Text, Whole

Figure = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class QuoteBody(Body):
    """Work to quote: exactly one of ``model``, ``config``, ``measured`` and ``hours``."""

    model: Text | None = Field(None, examples=["llama-2-70b"])
    config: dict[str, object] | None = Field(None, description="A Hugging Face config.json.")
    measured: Text | None = Field(None, description="A finished job whose output told its throughput.")
    hours: Figure | None = Field(None, description="Plain accelerator-hours.")
    tokens: Text | Whole | None = Field(None, examples=["2T"])
    sequence: Whole | None = None
    batch: Whole | None = Field(None, description="Sequences in one optimizer step.")
    amount: Text | Whole | None = Field(None, description="With measured: how many of its units.")
    types: list[Text] = Field(default_factory=list, max_length=200, description="All of the fleet without any.")
    gang: Whole | None = Field(None, description="How many accelerators; the best number without it.")
    plan: Text | None = Field(None, description="How it lies on the gang; the fastest way that fits without it.")
    objective: Text = "cheapest"
    deadline: Text | Whole | None = Field(None, examples=["30d"])
    tier: Text = "on-demand"
    tenant: Text | None = Field(None, description="Only for operators: quote for this tenant.")

    def request(self) -> QuoteRequest:
        said = {name: getattr(self, name) for name in type(self).model_fields if name != "types"}
        return QuoteRequest(**said, types=tuple(self.types))
