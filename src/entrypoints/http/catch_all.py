"""An answer for what nobody foresaw."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import instance_of, problem_response

log = logging.getLogger("steward.http")


class CatchAll:
    """A bug becomes a 500 and a traceback in the log. Inside the layers that complete answers, so that they complete
    this one, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except ClientDisconnect:
            log.info("the client left before its request was read")
        except Exception:
            # The path as it came: decoded, it could hold a line break and forge a log line.
            log.exception("%s %s failed", scope["method"], instance_of(scope))
            if started:
                raise  # the server breaks the connection off, so that a cut answer does not look whole
            response = problem_response(scope, "internal_error", "Something went wrong on our side")
            await response(scope, receive, send)
