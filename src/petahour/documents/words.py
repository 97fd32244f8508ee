"""The words of printed documents, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from petahour.model.time import to_datetime


class Language(StrEnum):
    """The languages documents are written in."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """One phrase in both languages."""

    en: str
    zh: str

    def say(self, language: Language) -> str:
        return self.zh if language is Language.ZH else self.en


PHRASES: Mapping[str, Phrase] = {
    "invoice": Phrase(en="Invoice", zh="账单"),
    "credit-note": Phrase(en="Credit note", zh="贷项通知单"),
    "statement": Phrase(en="Statement of account", zh="对账单"),
    "number": Phrase(en="Number", zh="编号"),
    "date": Phrase(en="Date of issue", zh="开具日期"),
    "due": Phrase(en="Payable by", zh="付款期限"),
    "period": Phrase(en="Period of use (UTC)", zh="计费周期 (UTC)"),
    "statement-period": Phrase(en="Period (UTC)", zh="对账期间 (UTC)"),
    "terms": Phrase(en="Terms", zh="付款条件"),
    "terms-days": Phrase(en="{days} days net", zh="账单日后 {days} 天内付清"),
    "currency": Phrase(en="Currency", zh="币种"),
    "corrects": Phrase(en="For invoice", zh="对应账单"),
    "reason": Phrase(en="Reason", zh="原因"),
    "state": Phrase(en="Status", zh="状态"),
    "draft": Phrase(en="Draft", zh="草稿"),
    "issued": Phrase(en="Issued", zh="已开具"),
    "paid": Phrase(en="Paid", zh="已付清"),
    "void": Phrase(en="Void", zh="作废"),
    "from": Phrase(en="From", zh="销售方"),
    "to": Phrase(en="Bill to", zh="购买方"),
    "customer": Phrase(en="Customer", zh="客户"),
    "tax-id": Phrase(en="Tax ID", zh="纳税人识别号"),
    "line": Phrase(en="No.", zh="序号"),
    "description": Phrase(en="Description", zh="项目"),
    "project": Phrase(en="project", zh="项目组"),
    "hours": Phrase(en="Accelerator-hours", zh="加速卡小时"),
    "price": Phrase(en="Price per hour", zh="单价 (每小时)"),
    "amount": Phrase(en="Amount", zh="金额"),
    "net": Phrase(en="Net amount", zh="不含税金额"),
    "VAT": Phrase(en="VAT", zh="增值税"),
    "total": Phrase(en="Total", zh="价税合计"),
    "prepaid": Phrase(en="Taken from prepaid credit", zh="已从预付款扣除"),
    "to-credit": Phrase(en="Added to prepaid credit", zh="已退回预付款"),
    "off-due": Phrase(en="Taken off the amount due", zh="已冲减应付金额"),
    "received": Phrase(en="Payments received", zh="已收付款"),
    "credited": Phrase(en="Credit notes", zh="贷项冲减"),
    "given-up": Phrase(en="Credit notes and written off", zh="贷项冲减及核销"),
    "amount-due": Phrase(en="Amount due", zh="应付金额"),
    "nothing-due": Phrase(en="Nothing is due: this invoice is settled.", zh="本账单已结清，无需付款。"),
    "pay-to": Phrase(en="Please pay to", zh="收款账户"),
    "quote-number": Phrase(en="Quote {number} with your payment.", zh="付款时请注明编号 {number}。"),
    "on-demand": Phrase(en="on demand", zh="按需"),
    "spot": Phrase(en="spot", zh="竞价"),
    "reserved": Phrase(en="reserved", zh="预留"),
    "adjustment": Phrase(en="Use in {month}, known after that month was closed", zh="{month} 的用量，该月结账后补记"),
    "correction": Phrase(en="Correction", zh="更正"),
    "fee": Phrase(en="Charge", zh="费用"),
    "lent-share": Phrase(en="Share of lent capacity", zh="闲置算力出借分成"),
    "lent": Phrase(en="lent", zh="出借"),
    "use-of": Phrase(en="Use of computing accelerators.", zh="算力租赁服务。"),
    "waived": Phrase(
        en="Held and not billed (provisioning, capacity lost): {hours} accelerator-hours.",
        zh="占用但未计费（启动准备、故障损失）：{hours} 加速卡小时。",
    ),
    "rounding": Phrase(
        en="Use is metered to the millisecond and charged to the millionth of {currency}; each line is rounded once.",
        zh="用量按毫秒计量，按百万分之一 {currency} 计价；每行仅四舍五入一次。",
    ),
    "rehearsal": Phrase(en="Rehearsal", zh="演练用量"),
    "not-payable": Phrase(en="NOT PAYABLE", zh="无需付款"),
    "rehearsal-note": Phrase(
        en="These jobs ran on rehearsal nodes, which have no accelerators behind them. What they would have cost is "
        "shown for information. It is no part of the invoice and creates no debt.",
        zh="以下作业运行于演练节点，其后并无实际加速卡。所示金额仅供参考，不属于账单金额，不构成任何债务。",
    ),
    "rehearsal-total": Phrase(en="Rehearsal total, not payable", zh="演练合计（无需付款）"),
    "no-lines": Phrase(en="No use in this period.", zh="本期无用量。"),
    "page": Phrase(en="Page", zh="第"),
    "of": Phrase(en="of", zh="页，共"),
    "page-end": Phrase(en="", zh="页"),
    "opening": Phrase(en="Balance brought forward", zh="期初余额"),
    "closing": Phrase(en="Balance carried forward", zh="期末余额"),
    "credit-account": Phrase(en="Prepaid credit", zh="预付款"),
    "receivable-account": Phrase(en="Owed (a balance below zero)", zh="应付款（余额为负即欠款）"),
    "unpaid": Phrase(en="Invoices not paid yet", zh="未付账单"),
    "overdue": Phrase(en="overdue", zh="已逾期"),
    "entry-date": Phrase(en="Date (UTC)", zh="日期 (UTC)"),
    "entry": Phrase(en="Entry", zh="摘要"),
    "in": Phrase(en="In", zh="转入"),
    "out": Phrase(en="Out", zh="转出"),
    "balance": Phrase(en="Balance", zh="余额"),
    "topup": Phrase(en="Top-up", zh="充值"),
    "grant": Phrase(en="Credit granted", zh="赠送额度"),
    "refund": Phrase(en="Refund", zh="退款"),
    "service-credit": Phrase(en="Service credit", zh="服务补偿"),
    "charge": Phrase(en="Use", zh="用量"),
    "commitment": Phrase(en="Reserved hours, set aside", zh="预留时段（预先划扣）"),
    "offset": Phrase(en="Owed to you, moved to credit", zh="贷方余额转入预付款"),
    "payment": Phrase(en="Payment", zh="付款"),
    "write-off": Phrase(en="Written off", zh="核销"),
    "reversal": Phrase(en="Reversal", zh="冲正"),
    "rounding-entry": Phrase(en="Rounding", zh="尾差"),
    "tax-entry": Phrase(en="Tax", zh="税额"),
    "account": Phrase(en="Account", zh="账户"),
    "as-of": Phrase(en="As of", zh="截至"),
    "other": Phrase(en="Other", zh="其他"),
}


class Wording:
    """``words("due")`` is the phrase in one language. Prevents a template from mixing two."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, name: str, **values: object) -> str:
        return PHRASES[name].say(self.language).format(**values)

    def other(self, name: str) -> str:
        """The same phrase in the other language, for a subtitle."""
        other = Language.EN if self.language is Language.ZH else Language.ZH
        return PHRASES[name].say(other)

    def tax(self, name: str) -> str:
        """A tax's name, in this language where it is a known one."""
        return self(name) if name in PHRASES else name

    def entry(self, kind: str) -> str:
        """The kind of an entry of a statement: ``charge`` is use; tax and rounding have phrases of their own."""
        name = f"{kind}-entry" if f"{kind}-entry" in PHRASES else kind
        return self(name if name in PHRASES else "other")

    def short_date(self, at_ms: int) -> str:
        """``2026-04-02``."""
        return f"{to_datetime(at_ms):%Y-%m-%d}"

    def days(self, from_ms: int, to_ms: int) -> str:
        """The days of an interval inside one month: ``1 – 31 March 2026``; ``to_ms`` is exclusive."""
        first, last = to_datetime(from_ms), to_datetime(to_ms - 1)
        if self.language is Language.ZH:
            return f"{first.year}年{first.month}月{first.day}日至{last.day}日"
        return f"{first.day} \N{EN DASH} {last.day} {_MONTHS[first.month - 1]} {first.year}"

    def date(self, at_ms: int) -> str:
        """``2 April 2026`` or ``2026年4月2日``, in UTC."""
        at = to_datetime(at_ms)
        if self.language is Language.ZH:
            return f"{at.year}年{at.month}月{at.day}日"
        return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
