"""Who may ask what: hosts, origins, sizes, headers, and the marks that show a request comes from our own page.

The page listens on loopback, where one person works without a token. Beyond loopback every reviewer signs in with a token of his own. What
holds for both: a request must name a host that we are (against DNS rebinding), whatever changes something must come from our own page and
bear its mark (against cross-site posts), bodies are bounded, and every answer forbids the browser to load or run anything from elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_HEADER = "x-csrf-token"
SAFE = ("GET", "HEAD", "OPTIONS")
NO_SCREENS = ("/api/", "/pictures/", "/static/")
"""Addresses that only our own pages ask for."""
BODY_LIMIT, BOXES_LIMIT = 1_000_000, 32_000_000
"""Bytes of a request body: of any, and of one that brings the changed boxes of a mask."""
BOXES = re.compile(r"/api/masks/[0-9]+/boxes")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Under which names the server answers, and whether people sign in."""

    local: str = "reviewer"
    """Name of the one local reviewer, where no token is wanted."""
    tokens: bool = False
    """True: every reviewer signs in with a token; there is no local reviewer."""
    hosts: frozenset[str] = frozenset()
    """Names beside those of loopback, in lower case and without port."""
    elsewhere: str = ""
    """The address of the page for other machines; '' = the one by which an admin has come."""
    addresses: bool = False
    """True: any address in digits is a name of ours, as when listening on all; rebinding needs a name, so this is safe."""

    def knows(self, header: str) -> bool:
        """True where a Host header names this server."""
        name = host_name(header)
        return is_loopback(name) or name in self.hosts or (self.addresses and _address(name) is not None)


def host_name(header: str) -> str:
    """The name in a Host header: lower case, no port, no brackets, no final stop; '' where it is none."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+?)\.?(?::[0-9]{1,5})?", header.strip().lower())
    return found[1].strip("[]") if found else ""


def is_loopback(name: str) -> bool:
    """True for `localhost` and the addresses that never leave the machine."""
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def csrf_mark(key: str) -> str:
    """What a page sends back to show that it is ours: an HMAC under the session's secret key, so that only its holder can know it."""
    return hmac.new(key.encode(), b"figureground review", hashlib.sha256).hexdigest()


def same_mark(given: str, expected: str) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def new_secret() -> str:
    """256 bits of chance as text."""
    return secrets.token_hex(32)


@dataclass(slots=True)
class Attempts:
    """Failed sign-ins of each address within the last minute; a tenth one has to wait."""

    most: int = 10
    seconds: float = 60.0
    failed: dict[str, list[float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, address: str) -> int:
        """Seconds until this address may try again; 0 = now."""
        with self.lock:
            recent = self._recent(address)
            return 0 if len(recent) < self.most else max(1, round(recent[0] + self.seconds - time.monotonic()))

    def note(self, address: str) -> None:
        """A sign-in of this address failed."""
        with self.lock:
            if len(self.failed) > 10_000:  # never more memory than that, whoever knocks
                self.failed.clear()
            self.failed[address] = [*self._recent(address), time.monotonic()]

    def _recent(self, address: str) -> list[float]:
        since = time.monotonic() - self.seconds
        return [at for at in self.failed.get(address, []) if at > since]


class Shield:
    """The outermost layer: refuses what no page of ours would send, bounds bodies, and puts the headers on every answer.

    Args:
        app: the app within.
        access: which hosts are ours.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # there are no web sockets here
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        guarded = _with_headers(send)
        if problem := self._problem(scope, headers):
            await _refuse(guarded, *problem)
            return
        limit = BOXES_LIMIT if BOXES.fullmatch(scope["path"]) else BODY_LIMIT
        if int(headers.get(b"content-length", "0")) > limit:
            await _refuse(guarded, 413, too_large(limit))
            return
        await self.app(scope, _bounded(receive, limit), guarded)

    def _problem(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host = headers.get(b"host", "")
        if not self.access.knows(host):
            return 421, f"this server does not answer under the name '{_short(host)}'. Start it with --allowed-host for that name"
        if not headers.get(b"content-length", "0").isdigit():
            return 400, "the header Content-Length must be a number"
        site = headers.get(b"sec-fetch-site", "none")
        if scope["method"] in SAFE:  # a link from elsewhere may open a screen, and nothing else
            opens = headers.get(b"sec-fetch-mode") == "navigate" and not scope["path"].startswith(NO_SCREENS)
            asked_elsewhere = site not in ("same-origin", "none") and not opens
            return (403, "this page answers only to itself, not to other sites") if asked_elsewhere else None
        origin = headers.get(b"origin")
        if site not in ("same-origin", "none") or (origin is not None and origin.partition("://")[2].lower() != host.lower()):
            return 403, "the request comes from another site. Work in the review page itself"
        return None


def too_large(limit: int) -> str:
    """The words of a refusal by size."""
    return f"the request is larger than {limit // 1_000_000} MB. Send less at once"


def _bounded(receive: Receive, limit: int) -> Receive:
    """Counts what is received, as a length that is not announced cannot be checked beforehand."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, too_large(limit))
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, problem: str) -> None:
    body = json.dumps({"error": problem}).encode()
    headers: Iterable[tuple[bytes, bytes]] = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
