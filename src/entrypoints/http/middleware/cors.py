"""Which web origins may read our answers (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). None by default."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from ....bootstrap import Container
from ..openapi.documentation import ANSWER_HEADERS, REQUEST_HEADERS
from ..problems.problem_responses import problem_response

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What the OpenAPI document tells of, a script may send and read: a new header is in both, or in neither.
_REQUEST_HEADERS = ("Authorization", "Content-Type", *REQUEST_HEADERS)
_ANSWER_HEADERS = tuple(ANSWER_HEADERS)


def cors(app: ASGIApp, container: Container) -> ASGIApp:
    """`app` itself where the settings name no origins: then no answer has a header of CORS."""
    origins = container.settings().cors_origins
    return Cors(app, origins) if origins else app


class Cors(CORSMiddleware):
    """Starlette's, but a preflight that is refused gets a problem. No credentials: a token is sent by the script."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_ANSWER_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_preflight(scope):
            await super().__call__(scope, receive, send)
            return
        answer = self.preflight_response(request_headers=Headers(scope=scope))
        if answer.status_code != 200:
            shared = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
            answer = problem_response(scope, "cors_refused", bytes(answer.body).decode(), headers=shared)
        await answer(scope, receive, send)


def _is_preflight(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
