"""Steward with bugs of the kind that writes secrets into logs: an error whose words hold what the request held, a row
that the database refuses, a warning, a task that nobody waits for. Run as a module, with the arguments of `steward`."""

import asyncio
import logging
import warnings

from fastapi import Request
from sqlalchemy import text
from starlette.responses import Response
from steward.entrypoints.cli.main import main
from steward.entrypoints.http.routers import monitoring

log = logging.getLogger("somebody.else")


@monitoring.router.get("/leak")
async def leak(request: Request) -> Response:
    raise RuntimeError(f"cannot read {dict(request.headers)}")


@monitoring.router.get("/refused-row")
async def refused_row(request: Request) -> Response:
    database = request.app.state.container.database()
    async with database.session() as session:
        await session.execute(text("UPDATE users SET username = NULL"))
    return Response()


@monitoring.router.get("/noise")
async def noise(request: Request) -> Response:
    warnings.warn("this is old", DeprecationWarning, stacklevel=1)
    log.warning("of a library: %s", request.headers.get("authorization"))
    log.debug("in detail")
    asyncio.get_running_loop().call_exception_handler({"message": "nobody waited for it"})
    return Response()


if __name__ == "__main__":
    main()
