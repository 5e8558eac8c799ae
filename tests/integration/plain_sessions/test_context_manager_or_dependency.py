"""`Depends(database.session)`: committed before the answer, rolled back on any error.

T1.1, T1.3 to T1.6, T9.1 to T9.4. In-process clients return only when the whole application has run, and so
cannot see what came first: these tests watch each message that the application sends.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from dependency_injector import containers, providers
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.adapters.unit_of_work.transaction import TransactionMode

from tests.support import future_routes
from tests.support.asgi import call
from tests.support.notes import Note, Reply, add_note, create_tables, texts


class Container(containers.DeclarativeContainer):
    url = providers.Dependency(instance_of=str)
    database = providers.Singleton(Database, url)


def by_attribute(database: Database) -> Callable[..., Any]:
    return database.session


def by_adapter(database: Database) -> Callable[..., Any]:
    async def session() -> AsyncIterator[AsyncSession]:
        async with database.session() as session:
            yield session

    return session


def by_container(database: Database) -> Callable[..., Any]:
    return Container(database=providers.Object(database)).database().session


def by_state(database: Database) -> Callable[..., Any]:
    async def session(request: Request) -> AsyncIterator[AsyncSession]:
        async with request.app.state.container.database().session() as session:
            yield session

    return session


OPENERS = [by_attribute, by_adapter, by_container, by_state]


def application(database: Database, opener: Callable[..., Any], *, scope: Any = "function") -> FastAPI:
    app = FastAPI()
    app.state.container = Container(database=providers.Object(database))
    app.state.seen = []
    Session = Annotated[AsyncSession, Depends(opener, scope=scope)]  # noqa: N806
    Reader = Annotated[AsyncSession, Depends(database.reader)]  # noqa: N806

    @app.exception_handler(IntegrityError)
    async def conflict(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({}, 409)

    @app.post("/notes/{text}", status_code=201)
    async def create(text: str, session: Session) -> int:
        app.state.seen.append(session)
        return (await add_note(session, text)).id

    @app.post("/background/{text}", status_code=201)
    async def create_and_go_on(text: str, session: Session, tasks: BackgroundTasks) -> None:
        async def after() -> None:
            app.state.seen.append((database.checked_out(), text in await texts(database)))

        await add_note(session, text)
        tasks.add_task(after)

    @app.post("/refused/{text}")
    async def refuse(text: str, session: Session) -> None:
        await add_note(session, text)
        raise HTTPException(409)

    @app.post("/broken/{text}")
    async def break_down(text: str, session: Session) -> None:
        await add_note(session, text)
        raise ValueError("mine")

    @app.post("/unserializable/{text}")
    async def answer_wrongly(text: str, session: Session) -> int:
        await add_note(session, text)
        return "not a number"  # type: ignore[return-value]

    @app.post("/replies/{note_id}", status_code=201)
    async def reply(note_id: int, session: Session) -> None:
        await add_note(session, "kept only with its reply")
        session.add(Reply(note_id=note_id))

    @app.get("/notes")
    async def list_notes(session: Reader) -> list[str]:
        return list(await session.scalars(select(Note.text)))

    return app


@pytest.mark.parametrize("opener", OPENERS)
async def test_the_commit_comes_before_the_answer(notes: Database, opener: Callable[..., Any]) -> None:
    """T1.3"""
    events = commits(notes)

    async def watch(message: str) -> None:
        stored = await outside(texts(notes))
        events.append(f"{message} with {len(stored)} stored")

    answer = await call(application(notes, opener(notes)), "POST", "/notes/kept", watch=watch)

    assert answer.status == 201
    assert events == ["commit", "http.response.start with 1 stored", "http.response.body with 1 stored"]


@pytest.mark.parametrize("scope", [None, "request"])
async def test_no_scope_can_bring_the_answer_before_the_commit(notes: Database, scope: Any) -> None:
    """T1.3: with a generator of one's own it would, which is what the test above is able to see."""
    events = commits(notes)

    async def watch(message: str) -> None:
        events.append(message)

    await call(application(notes, notes.session, scope=scope), "POST", "/notes/in-time", watch=watch)
    await call(application(notes, by_adapter(notes), scope=scope), "POST", "/notes/late", watch=watch)

    response = ["http.response.start", "http.response.body"]
    assert events == ["commit", *response, *response, "commit"]


async def test_a_background_task_sees_the_row_and_no_connection_is_held(notes: Database) -> None:
    """T1.4"""
    app = application(notes, notes.session)

    assert (await call(app, "POST", "/background/kept")).status == 201

    assert app.state.seen == [(0, True)]


@pytest.mark.parametrize("opener", OPENERS)
async def test_an_error_in_the_handler_rolls_back(notes: Database, opener: Callable[..., Any]) -> None:
    """T1.5, T9.1: whatever becomes of the error afterwards."""
    app = application(notes, opener(notes))

    assert (await call(app, "POST", "/refused/lost")).status == 409
    with pytest.raises(ValueError, match="mine"):
        await call(app, "POST", "/broken/lost")
    with pytest.raises(Exception, match="1 validation error"):
        await call(app, "POST", "/unserializable/lost")

    assert await texts(notes) == set()
    assert notes.checked_out() == 0


@pytest.mark.parametrize("opener", OPENERS)
async def test_a_commit_that_fails_is_answered_as_a_failure(notes: Database, opener: Callable[..., Any]) -> None:
    """T1.1: the constraint is checked by COMMIT."""
    assert (await call(application(notes, opener(notes)), "POST", "/replies/1000000")).status == 409
    assert await texts(notes) == set()


async def test_a_duplicate_is_refused(notes: Database) -> None:
    app = application(notes, notes.session)

    assert (await call(app, "POST", "/notes/twice")).status == 201
    assert (await call(app, "POST", "/notes/twice")).status == 409
    assert (await call(app, "GET", "/notes")).body == b'["twice"]'


async def test_the_doors_add_nothing_to_the_description_of_the_api(notes: Database) -> None:
    """T1.6: a parameter of the provider would be one that every client can set."""
    paths = application(notes, notes.session).openapi()["paths"]

    given = {
        path: [each["name"] for each in paths[path]["post"].get("parameters", ())] for path in paths if "{" in path
    }
    assert given["/notes/{text}"] == ["text"]
    assert given["/replies/{note_id}"] == ["note_id"]
    assert "parameters" not in paths["/notes"]["get"]


async def test_a_hundred_requests_have_a_hundred_sessions(notes: Database) -> None:
    """T9.2"""
    app = application(notes, by_state(notes))

    answers = await asyncio.gather(*(call(app, "POST", f"/notes/{number}") for number in range(100)))

    assert {answer.status for answer in answers} == {201}
    assert len({id(session) for session in app.state.seen}) == 100  # they are all still held there
    assert len(await texts(notes)) == 100


async def test_a_module_with_annotations_as_strings_gets_a_real_session(notes: Database) -> None:
    """T9.4"""
    app = application(notes, notes.session)
    app.include_router(future_routes.router)

    assert (await call(app, "POST", "/future/kept")).status == 201
    assert await texts(notes) == {"kept"}


async def test_two_applications_do_not_see_each_others_database() -> None:
    """T9.3"""
    memory = "sqlite+aiosqlite:///:memory:"
    async with Container(url=memory).database() as one, Container(url=memory).database() as other:
        await create_tables(one)
        await create_tables(other)
        app, other_app = application(one, by_state(one)), application(other, by_state(other))

        await call(app, "POST", "/notes/here")
        await call(other_app, "POST", "/notes/there")

        assert (await call(app, "GET", "/notes")).body == b'["here"]'
        assert (await call(other_app, "GET", "/notes")).body == b'["there"]'


def commits(database: Database) -> list[str]:
    """Grows by one "commit" for each COMMIT of what may write."""
    events: list[str] = []

    def commit(connection: Connection) -> None:
        if not connection.get_execution_options().get("steward_reads_only"):
            events.append("commit")

    event.listen(database.engines.by_mode[TransactionMode.WRITING].sync_engine, "commit", commit)
    return events


async def outside(work: Any) -> Any:
    """In a context of its own, as another client would."""
    return await asyncio.create_task(work, context=contextvars.Context())
