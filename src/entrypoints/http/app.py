"""The FastAPI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from ...bootstrap import Container
from .error_handlers import install_error_handlers
from .express.express_routes import install_express_routes
from .middleware.access_log import AccessLog
from .middleware.catch_all import CatchAll
from .middleware.cors import cors
from .middleware.envelope import Envelope
from .middleware.hosts import trusted_hosts
from .middleware.metrics import Metrics, Sources
from .middleware.observed import Observers, observed
from .openapi.docs_page import install_docs_page
from .openapi.document import openapi_of
from .requests.spooling import Places
from .routers import auth, batch, exports, imports, items, lists, monitoring, users
from .server_state import ServerState

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
        # Else it asks OpenTelemetry at each request whether somebody wants to know of it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        # From the outside in.
        middleware=[
            Middleware(Envelope),
            Middleware(observed, observers := Observers()),
            Middleware(cors, container),
            Middleware(CatchAll),
            Middleware(trusted_hosts, container),
        ],
    )
    container.accounts()  # now, so that a configuration without a secret does not start
    app.state.container = container
    app.state.import_places = Places()
    app.state.server_state = ServerState(observers)
    _look_on(app, container)
    install_error_handlers(app)
    for module in (auth, lists, users, batch, exports, imports, items, monitoring):
        app.include_router(module.router)
    install_docs_page(app)
    if container.settings().express != "off":
        install_express_routes(app)
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]
    return app


def _look_on(app: FastAPI, container: Container) -> None:
    settings, observers = container.settings(), app.state.server_state.observers
    if settings.access_log:
        observers.add(AccessLog(settings))
    app.state.metrics = None
    if settings.metrics:
        app.state.metrics = Metrics(
            Sources(
                pools=lambda: container.database().admissions,
                hasher=container.hasher,
                imports=lambda: app.state.import_places.taken,
                requests=lambda: observers.in_progress,
            )
        )
        observers.add(app.state.metrics)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    container: Container = app.state.container
    metrics: Metrics | None = app.state.metrics
    sampling = None if metrics is None else asyncio.create_task(metrics.keep_sampled())
    try:
        yield app.state.server_state.as_lifespan_state()
    finally:
        if sampling is not None:
            sampling.cancel()
            with suppress(asyncio.CancelledError):
                await sampling
        container.hasher().close()
        await container.database().aclose()
