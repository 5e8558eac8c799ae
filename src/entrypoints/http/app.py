"""The FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware

from ...bootstrap import Container
from .catch_all import CatchAll
from .cors import cors
from .docs_page import install_docs_page
from .envelope import Envelope
from .error_handlers import install_error_handlers
from .hosts import trusted_hosts
from .openapi_document import openapi_of
from .routers import auth, batch, exports, imports, items, lists, operations, users
from .spooling import Places

_DESCRIPTION = """A 2xx is durable: it is sent after the database has acknowledged the commit. Every error is
`application/problem+json` (RFC 9457) with a stable `code`. A path works with and without its trailing slash; members
and parameters that are not documented are refused. Before an operation is reached, a request may be answered
`bad_request` or `head_too_large` where it is not HTTP as it should be, and `unknown_host` or `cors_refused` where the
server's settings list hosts and origins. A path that is not there is `route_not_found`; to a method that a path does
not have, `method_not_allowed` answers with the header `Allow`, which OPTIONS asks for. HEAD goes wherever GET does.
"""
_TAGS = [
    {"name": "auth", "description": "Signing in, and the sessions that come of it."},
    {"name": "users", "description": "Who owns things."},
    {"name": "items", "description": "What is owned."},
    {"name": "operations", "description": "For those who run the server."},
]


def create_app(container: Container | None = None) -> FastAPI:
    """An application on `container`, or on one made of the environment's settings.

    Two applications in one process are two: nothing is shared. Its lifespan closes what the container opened.
    """
    container = container or Container()
    app = FastAPI(
        title="Steward",
        version=version("steward"),
        summary="Users and the items they own",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        # From the outside in.
        middleware=[
            Middleware(Envelope),
            Middleware(cors, container),
            Middleware(CatchAll),
            Middleware(trusted_hosts, container),
        ],
    )
    container.accounts()  # now, so that a configuration without a secret does not start
    app.state.container = container
    app.state.import_places = Places()
    install_error_handlers(app)
    for module in (auth, lists, users, batch, exports, imports, items, operations):
        app.include_router(module.router)
    install_docs_page(app)
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    container: Container = app.state.container
    try:
        yield
    finally:
        container.hasher().close()
        await container.database().aclose()
