"""A small application with `database.session` as its dependency.

python -m tests.e2e.plain_session_app PORT URL WORKERS
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.adapters.database.engines import PoolSettings

from tests.support.notes import SLOW, Note, Reply, add_note
from tests.support.server import die_with_parent


def create_app(database: Database) -> FastAPI:
    Session = Annotated[AsyncSession, Depends(database.session)]  # noqa: N806

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with database:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(IntegrityError)
    async def conflict(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": type(error).__name__}, 409)

    @app.exception_handler(ValueError)
    async def failure(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 500)

    @app.get("/pid")
    async def pid() -> int:
        return os.getpid()

    @app.post("/notes/{text}", status_code=201)
    async def create(text: str, session: Session) -> int:
        return (await add_note(session, text)).id

    @app.post("/replies/{note_id}", status_code=201)
    async def reply(note_id: int, session: Session) -> None:
        session.add(Reply(note_id=note_id))

    @app.post("/names/{name}", status_code=201)
    async def give_name(name: str, session: Session) -> None:
        await session.execute(text("INSERT INTO names (name) VALUES (:name)"), {"name": name})

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            # What outlives the handler opens a session of its own.
            async with database.session() as session:
                async for line in await session.stream_scalars(select(Note.text).order_by(Note.id)):
                    yield f"{line}\n"

        return StreamingResponse(lines())

    @app.post("/careless")
    async def gather_in_one_session(session: Session) -> None:
        async def fail() -> None:
            raise ValueError("mine")

        await asyncio.gather(session.execute(SLOW[database.dialect]), fail())

    @app.get("/checked-out")
    async def checked_out() -> int:
        return database.checked_out()

    return app


def serve(port: int, url: str, workers: int) -> None:
    """Each worker is a fork that listens on the same socket and can be killed alone."""
    app = create_app(Database(url, pool=PoolSettings(size=3, wait=60, statement=60, connect=60, busy=60)))
    with socket.create_server(("127.0.0.1", port)) as listener:
        for _ in range(workers):
            if os.fork() == 0:
                die_with_parent()
                uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
                return
        signal.pause()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
