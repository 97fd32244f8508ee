"""Which control plane, with which key: a profile saved by ``petahour login``, or the environment."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from petahour.model.errors import UnauthenticatedError, ValidationError

CONFIG_VARIABLE = "PETAHOUR_CONFIG"
URL_VARIABLE = "PETAHOUR_URL"
KEY_VARIABLE = "PETAHOUR_API_KEY"
DEFAULT_URL = "http://127.0.0.1:7420"
_KEY = re.compile(r"[!-~]{1,500}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A control plane and a key for it. The key is left out of the repr, so that no log ever shows it."""

    url: str
    key: str = field(repr=False)


def config_path() -> Path:
    """``$PETAHOUR_CONFIG``, or ``petahour/config.toml`` under ``$XDG_CONFIG_HOME`` or ``~/.config``."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "petahour" / "config.toml"


def load_profile(path: Path | None = None) -> Profile | None:
    """The saved profile, None when there is none. Raises ValidationError on a file that is not one."""
    path = path or config_path()
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(path, str(error)) from None
    url, key = values.get("url"), values.get("key")
    if not isinstance(url, str) or not isinstance(key, str):
        raise _unreadable(path, "url and key are text")
    return Profile(url=check_url(url), key=check_key(key))


def save_profile(profile: Profile, path: Path | None = None) -> Path:
    """Write the profile for its owner's eyes only (mode 0600), whole or not at all. Returns where."""
    path = path or config_path()
    text = f"url = {json.dumps(check_url(profile.url))}\nkey = {json.dumps(check_key(profile.key))}\n"
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise ValidationError(
            field=CONFIG_VARIABLE,
            value=str(path),
            rule=f"a file this user can write ({error.strerror})",
            remedy=f"Name another with {CONFIG_VARIABLE}.",
        ) from None
    return path


def resolve_profile() -> Profile:
    """What to use now: ``PETAHOUR_URL`` and ``PETAHOUR_API_KEY``, and the saved profile for what they leave open.

    A saved key is only ever sent to the URL it was saved for. Raises UnauthenticatedError without a key.
    """
    url, key = os.environ.get(URL_VARIABLE), os.environ.get(KEY_VARIABLE)
    saved = None if url and key else load_profile()
    if url is None or url == "":
        url = saved.url if saved else DEFAULT_URL
    if not key and saved is not None and check_url(url) == saved.url:
        key = saved.key
    if not key:
        raise UnauthenticatedError(
            field="key",
            value=None,
            rule=f"an API key for {url} is needed",
            remedy=f'Run "petahour login", or set {KEY_VARIABLE}.',
        )
    return Profile(url=check_url(url), key=check_key(key))


def check_url(url: str) -> str:
    """The URL without a trailing slash, or ValidationError."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not url.isascii() or not url.isprintable() or any(mark in url for mark in " @?#"):
        raise ValidationError(
            field="url", value=url, rule="an http or https URL", remedy=f'Write it like "{DEFAULT_URL}".'
        )
    return url.rstrip("/")


def check_key(key: str) -> str:
    """The key without blanks around it, or ValidationError, which does not repeat the key."""
    key = key.strip()
    if _KEY.fullmatch(key) is None:
        raise ValidationError(
            field="key",
            value=None,
            rule="an API key is one line of printable ASCII",
            remedy='Give the text that starts with "ph_".',
        )
    return key


def _unreadable(path: Path, why: str) -> ValidationError:
    return ValidationError(
        field="config",
        value=str(path),
        rule=f"a readable UTF-8 TOML file with url and key ({why})",
        remedy='Run "petahour login" to write a new one.',
    )
