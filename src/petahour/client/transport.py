"""One HTTP connection to a control plane: requests, bounded retries, and problem documents as exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import quote

import httpx

from petahour import __version__
from petahour.client.config import check_key, check_url
from petahour.client.errors import ApiError, ProtocolError
from petahour.model.errors import PetahourError, UnavailableError, ValidationError

RETRIES = 4
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Query = Mapping[str, str | int | tuple[str, ...] | None]


class Transport:
    """Sends requests with the key. A repeat is sent only when it cannot do a thing twice.

    What never reached the server is always sent again. A request that may have been heard (the connection broke,
    or the answer was 503) is sent again only if the caller says it is ``repeatable``. Pauses double from
    0.1 s to at most 2 s, or follow ``Retry-After`` up to that bound; after ``retries`` the error is raised.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_s: float,
        retries: int,
        sleep: Callable[[float], None] = time.sleep,
        in_process: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = check_url(url)
        self._retries = retries
        self._sleep = sleep
        headers = {"User-Agent": f"petahour/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {check_key(key)}"
        # A proxy from the environment is for other hosts: it could not reach this host's own loopback.
        direct = httpx.URL(self._url).host in _LOOPBACK
        self._http = httpx.Client(
            base_url=self._url,
            headers=headers,
            timeout=httpx.Timeout(timeout_s),
            trust_env=not direct,
            transport=in_process,
        )

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool,
    ) -> httpx.Response:
        """The answer if it is a success; ApiError or UnavailableError otherwise."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        for number in range(self._retries + 1):
            last = number == self._retries
            try:
                answer = self._http.request(method, path, params=params, json=body, headers=headers)
            except httpx.TransportError as error:
                if last or not (repeatable or isinstance(error, _NEVER_SENT)):
                    raise _unreachable(self._url, error) from None
                self._sleep(_pause_s(number, None))
                continue
            if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and repeatable and not last:
                self._sleep(_pause_s(number, answer.headers.get("Retry-After")))
                continue
            if answer.is_success:
                return answer
            raise _refused(answer)
        raise UnavailableError(field="url", value=self._url, rule="at least one try", remedy="Allow more retries.")


def json_of(answer: httpx.Response) -> object:
    """The body as JSON, or ProtocolError."""
    try:
        value: object = answer.json()
    except ValueError:
        raise ProtocolError(
            field="answer",
            value=answer.text[:80],
            rule="the control plane answers in JSON",
            remedy="Check that the URL is a Petahour control plane, not a proxy or another program.",
        ) from None
    return value


def segment(field: str, name: str) -> str:
    """A name as one segment of a path."""
    if name in ("", ".", ".."):
        raise ValidationError(field=field, value=name, rule="a name", remedy=f"Give the {field}'s name or id.")
    return quote(name, safe="")


def _pause_s(number: int, retry_after: str | None) -> float:
    asked = float(retry_after) if retry_after and retry_after.isdigit() else FIRST_PAUSE_S * 2**number
    return min(asked, LONGEST_PAUSE_S)


def _unreachable(url: str, error: httpx.TransportError) -> UnavailableError:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        rule = f"a request that can be sent ({error})"
    elif isinstance(error, httpx.ConnectError):
        rule = "nothing answers there"
    elif isinstance(error, httpx.TimeoutException):
        rule = "no answer in time"
    else:
        rule = f"the connection broke ({type(error).__name__})"
    return UnavailableError(
        field="url",
        value=url,
        rule=rule,
        remedy='Start a control plane with "petahour up", or log in to the right one with "petahour login".',
    )


def _refused(answer: httpx.Response) -> PetahourError:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    said = {name: document.get(name) for name in ("type", "field", "rule", "remedy", "title")}
    text = {name: value for name, value in said.items() if isinstance(value, str)}
    slug = text.get("type", "http").replace("#", ":").rsplit(":", 1)[-1]
    return ApiError(
        status=answer.status_code,
        slug=slug,
        field=text.get("field", "request"),
        value=document.get("value"),
        rule=text.get("rule") or text.get("title") or f"answered with HTTP {answer.status_code}",
        remedy=text.get("remedy", "Check the URL, or look into the control plane's log."),
    )
