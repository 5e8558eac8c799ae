"""The answer to an error that nothing else has answered."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..problems.problem_responses import instance_of, problem_response

log = logging.getLogger("steward.http")


class CatchAll:
    """Answers a bug, which no handler of the application knows, with a 500, and writes a traceback to the log. Inside
    the layers that complete answers, so that they complete these, too."""

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
            try:
                await send(message)
            except OSError as error:
                raise ClientDisconnect from error

        try:
            await self._app(scope, receive, send_watched)
        except ClientDisconnect:
            if started:
                log.debug("the client left before its answer was sent")
            else:
                log.info("the client left before its request was read")
        except Exception:
            # The path as it came: decoded, it could hold a line break and forge a log line.
            log.exception("%s %s failed", scope["method"], instance_of(scope))
            if started:
                raise  # the server breaks the connection off, so that a cut answer does not look whole
            response = problem_response(scope, "internal_error", "Something went wrong on our side")
            await response(scope, receive, send)
