"""What is true of every request and every answer, in one pure ASGI layer.

Starlette's `BaseHTTPMiddleware` costs a small request 30 % and has leaked sessions on cancellation.
"""

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ....service_layer.tally import tallied
from ...request_id import begin_request, end_request
from ..request_context import begin_context, put_context
from ..requests.headers import only_header
from .answer_headers import complete_headers

_OVERLOOKED = re.compile(rb"%(2f|0a)", re.IGNORECASE)


class Envelope:
    """Request id, tally, the headers that every answer has, and the path as the routes know it. The outermost layer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = begin_request(only_header(scope, b"x-request-id"))
        routed = _as_routed(scope)
        context = put_context(routed, begin_context(scope))
        context.wants_head_alone = scope["method"] == "HEAD"

        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [*message.get("headers", ()), *context.route_headers]
                message = {**message, "headers": complete_headers(given, request_id)}
            await send(message)

        try:
            with tallied():
                await self._app(routed, receive, send_enveloped)
        finally:
            end_request()


def _as_routed(scope: Scope) -> Scope:
    """HEAD as GET, whose body the server leaves out (RFC 9110 section 9.3.2); and the same path with and without its
    trailing slash, without a redirect (a 307 makes browsers drop the Authorization header)."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if b"%" in raw and _OVERLOOKED.search(raw):
        # An encoded slash belongs to its segment (RFC 3986 section 2.2), but the server has made a separator of it;
        # and the patterns of the routes overlook a line break at the end.
        path = unquote(re.sub(r"(?i)%(2f|0a)", r"%25\1", raw.decode("latin-1")))
    if path != "/":
        path = path.removesuffix("/")
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "path": path, "method": method}
