"""The session of a request: what a response promises is stored, and what is lost is an error."""

import asyncio
import contextvars
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import AlreadyInTransaction, NotInTransaction, ReadOnly, TransactionAborted, UnitOfWorkError

from tests.support.asgi import call, converse
from tests.support.notes import Note, Reply, add_note, create_tables, texts

GUIDE = Path(__file__).parents[3] / "docs" / "plain-sessions.md"
Work = Callable[[AsyncSession], Awaitable[Any]]


def add(session: AsyncSession) -> None:
    session.add(Note(text="mine"))  # sent by the commit


async def succeed(session: AsyncSession) -> None:
    add(session)


async def return_4xx(session: AsyncSession) -> JSONResponse:
    add(session)
    return JSONResponse({}, 409)


async def return_4xx_after_rollback(session: AsyncSession) -> JSONResponse:
    add(session)
    await session.rollback()
    return JSONResponse({}, 409)


async def raise_4xx(session: AsyncSession) -> None:
    await add_note(session, "mine")
    raise HTTPException(409)


async def fail(session: AsyncSession) -> None:
    await add_note(session, "mine")
    raise KeyError("a bug")


async def return_a_wrong_type(session: AsyncSession) -> object:
    add(session)
    return object()


async def fail_in_commit(session: AsyncSession) -> None:
    add(session)
    session.add(Reply(note_id=10**6))


async def fail_in_the_flush_of_commit(session: AsyncSession) -> None:
    add(session)
    add(session)


async def swallow_a_failure(session: AsyncSession) -> None:
    await add_note(session, "mine")
    with pytest.raises(IntegrityError):
        await session.execute(insert(Note).values(text="mine"))


async def lose_by_async_with(session: AsyncSession) -> None:
    async with session:
        add(session)


async def be_cancelled(session: AsyncSession) -> None:
    await add_note(session, "mine")
    raise asyncio.CancelledError


async def stream(session: AsyncSession) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        add(session)
        yield "stored"

    return StreamingResponse(lines())


BATTERY: list[tuple[Work, int | type[BaseException], bool]] = [  # what is answered, and whether it is stored
    (succeed, 200, True),
    (return_4xx, 409, True),
    (return_4xx_after_rollback, 409, False),
    (raise_4xx, 409, False),
    (fail, KeyError, False),
    (return_a_wrong_type, Exception, False),
    (fail_in_commit, 422, False),
    (fail_in_the_flush_of_commit, 422, False),
    (swallow_a_failure, TransactionAborted, False),
    (lose_by_async_with, TransactionAborted, False),
    (be_cancelled, asyncio.CancelledError, False),
    (stream, NotInTransaction, False),
]


def application(database: Database) -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(IntegrityError, lambda *_: JSONResponse({}, 422))
    app.state.seen = []
    return app


@pytest.mark.parametrize("scope", [None, "function", "request"])
@pytest.mark.parametrize(("work", "answered", "stored"), BATTERY)
async def test_the_response_tells_what_is_stored(
    notes: Database, work: Work, answered: int | type[BaseException], stored: bool, scope: Any
) -> None:
    app = application(notes)

    @app.post("/work")
    async def route(session: Annotated[AsyncSession, Depends(notes.session, scope=scope)]) -> Any:
        return await work(session)

    if isinstance(answered, int):
        assert (await call(app, "POST", "/work")).status == answered
    else:
        with pytest.raises(answered):
            await call(app, "POST", "/work")
    assert await texts(notes) == ({"mine"} if stored else set())


async def test_invalid_parameters_roll_back_what_a_dependency_wrote(notes: Database) -> None:
    app = application(notes)

    async def write(session: Annotated[AsyncSession, Depends(notes.session)]) -> None:
        await add_note(session, "mine")

    @app.post("/work", dependencies=[Depends(write)])
    async def route(number: int) -> None: ...

    assert (await call(app, "POST", "/work")).status == 422
    assert await texts(notes) == set()


@pytest.mark.parametrize("scope", [None, "function"])
async def test_a_dependency_with_yield_may_write_until_the_session_ends(notes: Database, scope: Any) -> None:
    """One that goes on after the response gets an error: its work is not lost without a word."""
    app = application(notes)

    async def repository(session: Annotated[AsyncSession, Depends(notes.session)]) -> AsyncIterator[None]:
        await add_note(session, "before")
        yield
        await add_note(session, "after")

    @app.post("/work", dependencies=[Depends(repository, scope=scope)])
    async def route() -> None: ...

    if scope == "function":
        assert (await call(app, "POST", "/work")).status == 200
        assert await texts(notes) == {"before", "after"}
    else:
        with pytest.raises(NotInTransaction, match=r"async with database.session\(\)"):
            await call(app, "POST", "/work")
        assert await texts(notes) == {"before"}


async def test_a_background_task_that_uses_the_session_gets_an_error(notes: Database) -> None:
    app = application(notes)

    @app.post("/work")
    async def route(session: Annotated[AsyncSession, Depends(notes.session)], tasks: BackgroundTasks) -> None:
        tasks.add_task(add_note, session, "mine")

    with pytest.raises(NotInTransaction, match="a background task in the task"):
        await call(app, "POST", "/work")


@pytest.mark.parametrize("first", ["reader", "session"])
async def test_reader_and_session_of_a_request_are_one(notes: Database, first: str) -> None:
    """Authentication reads, and the route writes."""
    async with notes.session() as session:
        session.add(Note(text="ada"))
    app = application(notes)

    async def authenticate(reader: Annotated[AsyncSession, Depends(notes.reader)]) -> Note:
        app.state.seen.append(reader)
        return (await reader.scalars(select(Note).where(Note.text.startswith("ada")))).one()

    async def write(session: Annotated[AsyncSession, Depends(notes.session, use_cache=False)]) -> None:
        app.state.seen.append(session)

    order = (authenticate, write) if first == "reader" else (write, authenticate)
    router = APIRouter(dependencies=[Depends(each) for each in order])

    @router.post("/work")
    async def route(
        ada: Annotated[Note, Depends(authenticate)], session: Annotated[AsyncSession, Depends(notes.session)]
    ) -> str:
        app.state.seen.append(session)
        await add_note(session, "mine")
        ada.text += "!"
        return ada.text

    app.include_router(router)
    assert (await call(app, "POST", "/work")).body == b'"ada!"'

    assert len({id(session) for session in app.state.seen}) == 1
    assert await texts(notes) == {"ada!", "mine"}
    assert notes.checked_out() == 0


async def test_a_failed_read_does_not_keep_the_request_from_writing(notes: Database) -> None:
    app = application(notes)

    async def authenticate(reader: Annotated[AsyncSession, Depends(notes.reader)]) -> None:
        with pytest.raises(ReadOnly):
            await reader.execute(insert(Note).values(text="mine"))

    @app.post("/work", dependencies=[Depends(authenticate)])
    async def route(session: Annotated[AsyncSession, Depends(notes.session)]) -> None:
        add(session)

    assert (await call(app, "POST", "/work")).status == 200
    assert await texts(notes) == {"mine"}


async def test_another_block_inside_the_route_is_refused(notes: Database) -> None:
    """It would wait for a connection that the request holds."""
    app = application(notes)

    @app.post("/work", dependencies=[Depends(notes.reader)])
    async def route() -> None:
        async with notes.session():
            pass

    with pytest.raises(AlreadyInTransaction):
        await call(app, "POST", "/work")


async def test_two_databases_in_one_request_have_a_session_each(notes: Database) -> None:
    async with Database("sqlite+aiosqlite:///:memory:") as other:
        await create_tables(other)
        app = application(notes)

        @app.post("/work")
        async def route(
            mine: Annotated[AsyncSession, Depends(notes.session)], its: Annotated[AsyncSession, Depends(other.session)]
        ) -> None:
            await add_note(mine, "here")
            await add_note(its, "there")

        assert (await call(app, "POST", "/work")).status == 200
        assert (await texts(notes), await texts(other)) == ({"here"}, {"there"})


async def test_it_can_be_overridden_as_fastapi_documents_it(notes: Database) -> None:
    app = application(notes)

    @app.get("/notes")
    async def route(reader: Annotated[Any, Depends(notes.reader)]) -> Any:
        return reader

    app.dependency_overrides[notes.reader] = lambda: "another"
    assert (await call(app, "GET", "/notes")).body == b'"another"'

    async def another() -> None: ...

    @app.post("/work")
    async def write(session: Annotated[Any, Depends(another)]) -> None:
        await add_note(session, "mine")

    app.dependency_overrides[another] = notes.session
    assert (await call(app, "POST", "/work")).status == 200
    assert await texts(notes) == {"mine"}


@pytest.mark.parametrize("opener", ["session", "reader"])
async def test_a_websocket_that_depends_on_it_is_refused(notes: Database, opener: str) -> None:
    """Its messages would leave before the commit."""
    app = application(notes)

    @app.websocket("/socket")
    async def talk(socket: WebSocket, session: Annotated[AsyncSession, Depends(getattr(notes, opener))]) -> None:
        await socket.accept()

    async def watch(message: str) -> None:
        app.state.seen.append(message)

    with pytest.raises(UnitOfWorkError, match=r"`async with database.session\(\)` for each message"):
        await converse(app, "/socket", "mine", watch=watch)
    assert app.state.seen == []


async def test_the_application_of_the_guide_does_what_it_says(notes: Database) -> None:
    known: dict[str, Any] = {"database": notes, "Note": Note}
    (code,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    exec(code, known)
    app, seen = known["app"], []

    async def watch(message: str) -> None:
        stored = await asyncio.create_task(texts(notes), context=contextvars.Context())
        seen.append((message, sorted(stored)))

    assert (await call(app, "POST", "/notes/one")).body == b"1"
    assert (await call(app, "GET", "/notes/1")).body == b'"one"'
    assert (await call(app, "GET", "/notes/2")).status == 404
    await converse(app, "/notes", "two", "three", watch=watch)

    assert seen == [
        ("websocket.accept", ["one"]),
        ("stored two", ["one", "two"]),
        ("stored three", ["one", "three", "two"]),
    ]
