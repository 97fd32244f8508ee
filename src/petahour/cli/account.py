"""`login` and `whoami`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from petahour.cli.options import AsJson
from petahour.model.errors import ValidationError


def add_to(app: typer.Typer) -> None:
    app.command()(login)
    app.command()(whoami)


def login(
    url: Annotated[
        str | None, typer.Option(help="The control plane's URL; PETAHOUR_URL or http://127.0.0.1:7420 without it.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Read the API key from this file; - for standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an API key and keep it for later commands.

    The key comes from --key-file, PETAHOUR_API_KEY or a hidden prompt, and is saved readable by you only, at
    PETAHOUR_CONFIG or ~/.config/petahour/config.toml.
    """
    from petahour.cli.render import show_json
    from petahour.client import Client, Profile, save_profile
    from petahour.client.config import DEFAULT_URL, KEY_VARIABLE, URL_VARIABLE

    chosen = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    key = _read_key(key_file) or os.environ.get(KEY_VARIABLE) or _ask_key()
    with Client(chosen, key) as client:
        who = client.whoami()
    path = save_profile(Profile(url=chosen, key=key))
    if as_json:
        show_json({"url": chosen, "user": who.user, "role": who.role, "tenant": who.tenant, "saved": str(path)})
    else:
        typer.echo(f"Logged in to {chosen} as {who.user} ({who.role}{_of(who.tenant)}). Saved in {path}.")


def whoami(as_json: AsJson = False) -> None:
    """Show who the key belongs to."""
    from petahour.cli.render import show_facts, show_json
    from petahour.cli.session import connect

    with connect() as client:
        who = client.whoami()
        if as_json:
            show_json(who)
        else:
            show_facts(
                [
                    ("user", who.user),
                    ("role", who.role),
                    ("tenant", who.tenant),
                    ("key", who.key),
                    ("url", client.url),
                ]
            )


def _of(tenant: str | None) -> str:
    return f" of {tenant}" if tenant else ""


def _read_key(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        # A blank file is refused as a key, rather than taken for a file that was not named.
        return (sys.stdin.readline() if str(path) == "-" else path.read_text("utf-8")) or " "
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(
            field="key-file",
            value=str(path),
            rule=f"a text file that can be read ({error})",
            remedy="Check the path.",
        ) from None


def _ask_key() -> str:
    if not sys.stdin.isatty():
        raise ValidationError(
            field="key",
            value=None,
            rule="an API key is needed",
            remedy="Give --key-file FILE (- for standard input), or set PETAHOUR_API_KEY.",
        )
    answer: str = typer.prompt("API key", hide_input=True, err=True)
    return answer
