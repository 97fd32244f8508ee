"""Notices reach a real HTTP server and a real SMTP server, at least once, and are tried until they do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from tests.integration.terms.plane import FINANCE, OPERATOR, Plane

from petahour.control.notices.contacts import add_contact, contacts_of, notices_of, remove_contact, try_contact
from petahour.control.notices.courier import Courier
from petahour.control.notices.mail import MailServer, mail_server
from petahour.control.notices.webhook import verified
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from petahour.model.notices import Channel
from petahour.model.time import HOUR_MS, SECOND_MS


class Receiver:
    """A web server that keeps what it is sent, and answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Mailbox:
    """What the SMTP server took; ``refuse`` answers of it come first."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.refuse: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse.pop(0)
        self.got.append(envelope)
        return "250 OK"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, MailServer]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, mail_server(f"smtp://127.0.0.1:{port}", "billing@petahour.example")
    controller.stop()


@pytest.fixture
def courier(plane: Plane, mailbox: tuple[Mailbox, MailServer]) -> Iterator[Courier]:
    made = Courier(plane.context, mailbox[1])
    yield made
    made.stop()


def test_a_webhook_is_signed_and_delivered_once_it_is_taken(
    plane: Plane, receiver: Receiver, courier: Courier
) -> None:
    contact = add_contact(plane.context, OPERATOR, "acme", channel=Channel.WEBHOOK, target=receiver.url)
    assert contact.secret.startswith("whs_")
    receiver.answers = [500, 302]
    try_contact(plane.context, OPERATOR, "acme")
    assert courier.deliver_due() == 0
    assert courier.deliver_due() == 0  # not due yet
    assert len(receiver.got) == 1
    plane.clock.at_ms += 5 * SECOND_MS
    assert courier.deliver_due() == 0  # a redirection is no receipt
    plane.clock.at_ms += 10 * SECOND_MS
    assert courier.deliver_due() == 1
    plane.clock.at_ms += HOUR_MS
    assert courier.deliver_due() == 0
    assert len({headers["Petahour-Delivery"] for headers, _ in receiver.got}) == 1
    headers, body = receiver.got[-1]
    now_s = (plane.clock.at_ms - HOUR_MS) // 1000
    assert verified(contact.secret, body, headers["Petahour-Signature"], now_s)
    assert not verified(contact.secret, body + b" ", headers["Petahour-Signature"], now_s)
    assert not verified("whs_other", body, headers["Petahour-Signature"], now_s)
    assert not verified(contact.secret, body, headers["Petahour-Signature"], now_s + 301)
    assert not verified(contact.secret, body, "nonsense", now_s)
    assert json.loads(body)["tenant"] == "acme"
    (notice,) = notices_of(plane.context, OPERATOR, "acme")
    assert (notice.tries, notice.error, notice.failed_ms) == (3, "", None)


def test_mail_is_handed_over_after_a_refusal(
    plane: Plane, mailbox: tuple[Mailbox, MailServer], courier: Courier
) -> None:
    box, _ = mailbox
    add_contact(plane.context, OPERATOR, "acme", channel=Channel.EMAIL, target="ops@acme.example")
    box.refuse = ["451 try again later"]
    try_contact(plane.context, OPERATOR, "acme")
    assert courier.deliver_due() == 0
    plane.clock.at_ms += 5 * SECOND_MS
    assert courier.deliver_due() == 1
    (envelope,) = box.got
    assert envelope.rcpt_tos == ["ops@acme.example"]
    content = envelope.content
    assert isinstance(content, bytes)
    message = message_from_bytes(content, policy=default)
    assert message["Subject"] == "Petahour: a trial notice for acme"
    assert message["From"] == "billing@petahour.example"
    body = message.get_body()
    assert body is not None
    assert "Nothing has happened" in body.get_content()


def test_a_receiver_that_never_answers_is_given_up(plane: Plane, receiver: Receiver, courier: Courier) -> None:
    add_contact(plane.context, OPERATOR, "acme", channel=Channel.WEBHOOK, target="http://127.0.0.1:9/closed")
    try_contact(plane.context, OPERATOR, "acme")
    for _ in range(plane.context.settings.notice_tries + 2):
        courier.deliver_due()
        plane.clock.at_ms += HOUR_MS
    (notice,) = notices_of(plane.context, OPERATOR, "acme")
    assert notice.tries == plane.context.settings.notice_tries
    assert notice.failed_ms is not None
    assert "ConnectError" in notice.error


def test_contacts_are_checked_and_belong_to_their_tenant(plane: Plane) -> None:
    known = add_contact(plane.context, OPERATOR, "acme", channel=Channel.EMAIL, target="ops@acme.example")
    for channel, target in (
        (Channel.EMAIL, "nobody"),
        (Channel.EMAIL, "a@b@c"),
        (Channel.EMAIL, "a@b\r\nBcc: x@y"),
        (Channel.WEBHOOK, "ftp://host/x"),
        (Channel.WEBHOOK, "http://"),
        (Channel.WEBHOOK, "http://host:99999/"),
        (Channel.WEBHOOK, "https://" + "x" * 600),
    ):
        with pytest.raises(ValidationError):
            add_contact(plane.context, OPERATOR, "acme", channel=channel, target=target)
    with pytest.raises(ConflictError):
        add_contact(plane.context, OPERATOR, "acme", channel=Channel.EMAIL, target="ops@acme.example")
    with pytest.raises(ForbiddenError):
        add_contact(plane.context, FINANCE, "acme", channel=Channel.EMAIL, target="x@acme.example")
    with pytest.raises(NotFoundError):
        remove_contact(plane.context, OPERATOR, "acme", "contact-none")
    remove_contact(plane.context, OPERATOR, "acme", known.id)
    assert contacts_of(plane.context, OPERATOR, "acme") == []


@pytest.mark.parametrize("url", ["", "http://mail", "smtp://", "smtp://host:x"])
def test_a_wrong_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        mail_server(url, "a@b.example")
    with pytest.raises(ValidationError):
        mail_server("smtp://host", "nobody")
