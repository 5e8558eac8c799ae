"""What is true of every request and every answer, in one pure ASGI layer.

Starlette's `BaseHTTPMiddleware` costs a small request 30 % and has leaked sessions on cancellation.
"""

import logging
import re
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import instance_of, problem_response
from .request_id import begin_request

log = logging.getLogger("steward.http")


class Envelope:
    """Request id, security headers, the path as the routes know it, and an answer for what nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = begin_request(_only_header(scope, b"x-request-id"))
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
            await self._app(_as_routed(scope), receive, send_enveloped)
        except ClientDisconnect:
            log.info("the client left before its request was read")
        except Exception:
            # The path as it came: decoded, it could hold a line break and forge a log line.
            log.exception("%s %s failed", scope["method"], instance_of(scope))
            if started:
                raise  # the server breaks the connection off, so that a cut answer does not look whole
            response = problem_response(scope, "internal_error", "Something went wrong on our side")
            await response(scope, receive, send_enveloped)


def _as_routed(scope: Scope) -> Scope:
    """HEAD as GET, whose body the server leaves out (RFC 9110 section 9.3.2); and the same path with and without its
    trailing slash, without a redirect (a 307 makes browsers drop the Authorization header)."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if re.search(rb"%(2f|0a)", raw, re.IGNORECASE):
        # An encoded slash belongs to its segment (RFC 3986 section 2.2), but the server has made a separator of it;
        # and the patterns of the routes overlook a line break at the end.
        path = unquote(re.sub(r"(?i)%(2f|0a)", r"%25\1", raw.decode("latin-1")))
    if path != "/":
        path = path.removesuffix("/")
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "path": path, "method": method}


def _only_header(scope: Scope, name: bytes) -> bytes | None:
    """None also for a header that comes twice: nobody could say which one is meant."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
