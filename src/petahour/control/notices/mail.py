"""E-mail by SMTP."""

from __future__ import annotations

import json
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from petahour.model.errors import ValidationError
from petahour.model.notices import Notice

TIMEOUT_S = 10.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """Where mail is handed over, and whose it is. ``security``: ``smtp``, ``smtp+starttls`` or ``smtps``."""

    host: str
    port: int
    security: str
    sender: str
    user: str = ""
    password: str = ""


def mail_server(url: str, sender: str) -> MailServer:
    """``smtp+starttls://user:password@mail.example:587``. Raises ValidationError, which never shows the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValidationError(
            field="smtp",
            value=None,
            rule="a URL of smtp, smtp+starttls or smtps with a host",
            remedy="Write it like smtp+starttls://user:password@mail.example:587.",
        )
    if "@" not in sender:
        raise ValidationError(
            field="mail-from", value=sender, rule="an e-mail address", remedy="Write it like billing@example.com."
        )
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        security=parts.scheme,
        sender=sender,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def send(server: MailServer, notice: Notice) -> str:
    """Hand over one e-mail; an empty text, or what went wrong."""
    message = EmailMessage()
    message["From"], message["To"] = server.sender, notice.target
    message["Subject"] = notice.subject
    message["Message-ID"] = f"<{notice.id}@{server.sender.rpartition('@')[2]}>"
    message.set_content(str(json.loads(notice.body).get("text", "")) + "\n")
    try:
        with _connected(server) as smtp:
            if server.user:
                smtp.login(server.user, server.password)
            refused = smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}"
    return f"refused: {refused}" if refused else ""


def _connected(server: MailServer) -> smtplib.SMTP:
    if server.security == "smtps":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S)
    smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    if server.security == "smtp+starttls":
        smtp.starttls()
    return smtp
