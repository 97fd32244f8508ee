"""What requests may say. Unknown fields are refused; rules that need knowledge are the use cases' to check."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from petahour.control.request import JobRequest
from petahour.model.notices import Channel
from petahour.model.tenants import Role
from petahour.model.usage import TransferKind


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "text without NUL characters")
    return text


Text = Annotated[str, Field(max_length=4_096), AfterValidator(_no_nul)]
Whole = Annotated[int, Field(strict=True)]


class Body(BaseModel):
    """A request body: no field beyond those named, and no silent conversion of text to numbers."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _valid_unicode(cls, data: object) -> object:
        if not _encodable(data):
            raise PydanticCustomError("unicode", "text is valid Unicode, without lone surrogates")
        return data


def _encodable(data: object) -> bool:
    """Whether every text in JSON data can be written as UTF-8; JSON's escapes can spell what cannot."""
    todo = [data]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            todo += item
        elif isinstance(item, str) and any("\ud800" <= letter <= "\udfff" for letter in item):
            return False
    return True


class GangBody(Body):
    nodes: Whole = 1
    accelerators_per_node: Whole = 1
    switch: Text = Field(default="preferred", description="preferred or required: all nodes under one leaf switch.")
    exclusive: bool = Field(default=False, description="Nodes nobody else uses; all accelerators are paid for.")


class JobBody(Body):
    """A job to run. See the job file reference for what each field means."""

    tenant: Text | None = Field(None, description="Only for operators: submit for this tenant.")
    project: Text = "default"
    name: Text | None = None
    command: list[str] = Field(examples=[["python", "train.py"]])
    workdir: Text = Field(".", description="Relative to the project's directory.")
    environment: dict[str, str] = Field(default_factory=dict)
    gang: GangBody = Field(default_factory=GangBody)
    types: list[Text] = Field(default_factory=lambda: ["cpu"], description="Acceptable types, the preferred first.")
    tier: Text = "on-demand"
    priority: Whole = 0
    walltime: Text | Whole | None = Field(None, examples=["1h30m"])
    retries: Whole = 0
    checkpoint_dir: Text | None = None
    preemption_signal: Text = "SIGTERM"
    grace: Text | Whole = "30s"
    memory: Text | Whole | None = Field(None, examples=["8GiB"])
    after_ok: list[Text] = Field(default_factory=list, description="Jobs that must have succeeded before it starts.")
    after_any: list[Text] = Field(default_factory=list, description="Jobs that must be over before it starts.")
    array: Text | None = Field(None, description="Indexes, one job each; %N: so many at once.", examples=["0-15%4"])
    max_price: Text | None = Field(
        None,
        description="The most it pays for an accelerator-hour of spot, in its tenant's currency.",
        examples=["5.50"],
    )
    quote: Text | None = Field(None, description="The quote it is submitted under: type and gang are the quote's.")
    meter_power: bool = Field(False, description="Its first rank's output ends with what its accelerators drew.")

    def request(self) -> JobRequest:
        return JobRequest(
            command=tuple(self.command),
            types=tuple(self.types),
            tenant=self.tenant,
            project=self.project,
            name=self.name,
            workdir=self.workdir,
            environment=self.environment,
            nodes=self.gang.nodes,
            accelerators_per_node=self.gang.accelerators_per_node,
            tier=self.tier,
            priority=self.priority,
            walltime=self.walltime,
            retries=self.retries,
            checkpoint_dir=self.checkpoint_dir,
            preemption_signal=self.preemption_signal,
            grace=self.grace,
            memory=self.memory,
            switch=self.gang.switch,
            exclusive=self.gang.exclusive,
            after_ok=tuple(self.after_ok),
            after_any=tuple(self.after_any),
            array=self.array,
            max_price=self.max_price,
            quote=self.quote,
            meter_power=self.meter_power,
        )


class TenantBody(Body):
    name: Text
    title: Text = ""
    currency: Text = Field(examples=["CNY"])


class ProjectBody(Body):
    name: Text
    directory: Text | None = None


class UserBody(Body):
    name: Text
    role: Role


class KeyBody(Body):
    user: Text
    label: Text = ""
    tenant: Text | None = None


class QuotaBody(Body):
    nominal: Whole
    borrowing_limit: Whole | None = None
    lending_limit: Whole | None = None
    cohort: Text = ""


class TopupBody(Body):
    amount: Text = Field(description="A decimal number as text.", examples=["1000.00"])
    currency: Text = Field(examples=["CNY"])
    key: Text = Field(description="The payment's reference: one key is one credit.")
    note: Text = ""


class CreditMoveBody(Body):
    kind: TransferKind = Field(description="grant, service-credit or refund.")
    amount: Text = Field(description="A decimal number as text.", examples=["50.00"])
    currency: Text = Field(examples=["CNY"])
    key: Text = Field(description="The sender's name for it: one key is one movement of its kind.")
    note: Text = Field(description="Why.")


class ReversalBody(Body):
    note: Text = Field(description="Why it is taken back.")


class TopupRuleBody(Body):
    most: Text = Field(description="At most so much at once, a decimal number as text.")
    alone: Text = Field(description="Above this a second person approves.")


class ContactBody(Body):
    channel: Channel
    target: Text = Field(examples=["https://hooks.acme.example/petahour", "ops@acme.example"])


class CreditTermsBody(Body):
    postpaid: bool = Field(description="Use is owed instead of taken from credit.")
    limit: Text = Field("0", description="What may be owed, a decimal number as text.")
    remind_days: Whole = 1
    stop_new_days: Whole = 7
    stop_spot_days: Whole = 14
    stop_all_days: Whole = 30


class BudgetBody(Body):
    limit: Text = Field(description="For a calendar month, a decimal number as text.")
    hard: bool = False
    alerts: list[Whole] = Field(default_factory=lambda: [50, 80, 100], description="Per cent of the limit.")


class WriteOffBody(Body):
    reason: Text


class PricesBody(Body):
    text: Annotated[str, Field(max_length=1_000_000)] = Field(description="Price books as TOML.")


class DrainBody(Body):
    reason: Text = ""
