"""Steward with a bug where the JSON of an item is made, and with plain routes of somebody else that store an item and
fail afterwards, or store nothing and fail. Run as a module, with the arguments of `steward`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from steward.bootstrap import Container
from steward.domain import errors
from steward.domain.actors import Actor
from steward.domain.items import Item, ItemId, NewItem
from steward.domain.users import UserId
from steward.entrypoints.cli.main import main
from steward.entrypoints.http import answers
from steward.entrypoints.http import app as http_app
from steward.entrypoints.http.app import create_app
from steward.entrypoints.http.dependencies import CurrentLimits, CurrentUnitOfWork, container_of
from steward.service_layer.limits import count_attempts

STORED = NewItem.of(owner_id=UserId(1), name="Stored")
ERRORS: dict[str, Exception] = {
    "bug": RuntimeError("a bug"),
    "overloaded": errors.Overloaded(),
    "database_unavailable": errors.DatabaseUnavailable(),
    "deadline_exceeded": errors.DeadlineExceeded(),
    "storage_full": errors.StorageFull(),
    "conflict": errors.Conflict(),
    "outcome_unknown": errors.OutcomeUnknown(),
    "item_not_found": errors.ItemNotFound(ItemId(7)),
}
router = APIRouter(prefix="/careless")


async def store(uow: CurrentUnitOfWork) -> None:
    async with uow:
        await uow.items.add(STORED, at=uow.now)
        await uow.commit()


async def fail_at_exit() -> AsyncIterator[None]:
    yield
    raise RuntimeError("a bug after yield")


Stored = Depends(store)
FailsAtExit = Depends(fail_at_exit, scope="function")


@router.post("/unserialisable", dependencies=[Stored])
async def unserialisable() -> Any:
    return {"value": object()}


@router.post("/exit", dependencies=[FailsAtExit])
async def exit_code(uow: CurrentUnitOfWork) -> None:
    await store(uow)


@router.post("/thread", dependencies=[Stored])
def thread() -> None:
    raise RuntimeError("a bug in a thread")


@router.post("/task")
async def task(uow: CurrentUnitOfWork) -> None:
    await asyncio.create_task(store(uow))
    raise RuntimeError("a bug after a task")


@router.post("/own-unit")
async def own_unit(request: Request) -> None:
    await store(container_of(request).unit_of_work())
    raise RuntimeError("a bug after a unit of one's own")


@router.post("/session")
async def session(request: Request) -> None:
    async with container_of(request).database().session() as session:
        await session.execute(text("UPDATE items SET name = 'Stored'"))
    raise RuntimeError("a bug after a session")


@router.post("/then/{code}", dependencies=[Stored])
async def then(code: str) -> None:
    raise ERRORS[code]


@router.post("/background", status_code=201, dependencies=[Stored])
async def background(tasks: BackgroundTasks) -> None:
    async def fail() -> None:
        raise RuntimeError("a bug in the background")

    tasks.add_task(fail)


@router.post("/rolled-back")
async def rolled_back(uow: CurrentUnitOfWork) -> None:
    async with uow:
        await uow.items.add(STORED, at=uow.now)
        raise RuntimeError("a bug before commit()")


@router.post("/counted")
async def counted(uow: CurrentUnitOfWork, limits: CurrentLimits) -> None:
    attempts = limits.sign_up("192.0.2.1")
    assert attempts
    await count_attempts(uow, Actor.anonymous(), attempts=attempts)
    raise RuntimeError("a bug after an attempt was counted")


@router.post("/swallowed/{way}")
async def swallowed(way: str, uow: CurrentUnitOfWork, request: Request) -> None:
    ways: dict[str, Callable[[], Awaitable[None]]] = {"unit": lambda: store(uow), "session": lambda: session(request)}
    try:
        await ways[way]()
    except errors.OutcomeUnknown:
        raise RuntimeError("a bug where the outcome was unknown") from None


class FailsWhenAnswered:
    """A layer that fails where a request with the header X-Fail would be answered with a success."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_fail(message: Message) -> None:
            if scope["type"] == "http" and b"x-fail" in dict(scope["headers"]) and message.get("status", 500) < 400:
                raise RuntimeError("a bug when the answer is sent")
            await send(message)

        await self._app(scope, receive, send_or_fail)


def _broken_item_json(item: Item) -> Any:
    raise RuntimeError("a bug where an answer is made")


def _careless_app(container: Container) -> FastAPI:
    app = create_app(container)
    app.include_router(router)
    app.add_middleware(FailsWhenAnswered)
    return app


if __name__ == "__main__":
    http_app.create_app = _careless_app  # type: ignore[assignment]
    vars(answers)["item_json"] = _broken_item_json
    main()
