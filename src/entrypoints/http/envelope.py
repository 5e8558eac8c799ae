"""What is true of every request and every answer, in one pure ASGI layer.

Starlette's `BaseHTTPMiddleware` costs a small request 30 % and has leaked sessions on cancellation.
"""

import logging

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import problem_response
from .request_id import begin_request

log = logging.getLogger("steward.http")


class Envelope:
    """Request id, security headers, trailing slashes, HEAD, and an answer for what nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = begin_request(_header(scope, b"x-request-id"))
        scope = _as_routed(scope)
        started = False

        async def send_enveloped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, receive, send_enveloped)
        except ClientDisconnect:
            log.info("the client left before its request was read (request id %s)", request_id)
        except Exception:
            log.exception("%s %s failed (request id %s)", scope["method"], scope["path"], request_id)
            if started:
                raise  # the server breaks the connection off, so that a cut answer does not look whole
            response = problem_response(Request(scope), "internal_error", "Something went wrong on our side")
            await response(scope, receive, send_enveloped)


def _as_routed(scope: Scope) -> Scope:
    """The same path with and without its trailing slash, without a redirect (a 307 makes browsers drop the
    Authorization header); HEAD as GET, whose body the server leaves out (RFC 9110 section 9.3.2)."""
    changed = {}
    path: str = scope["path"]
    if path.endswith("/") and path != "/":
        changed["path"] = path[:-1]
        if (raw := scope.get("raw_path")) is not None:
            changed["raw_path"] = raw[:-1] if raw.endswith(b"/") else raw
    if scope["method"] == "HEAD":
        changed["method"] = "GET"
    return {**scope, **changed} if changed else scope


def _header(scope: Scope, name: bytes) -> bytes | None:
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
