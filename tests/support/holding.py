"""Each way in which a session can be busy with a held statement."""

from collections.abc import Callable, Coroutine
from typing import Any

from steward.adapters.database.unit_of_work import DatabaseUnitOfWork

from .held_statement import HeldStatement
from .mapped import Tag

Hold = Callable[[DatabaseUnitOfWork, HeldStatement], Coroutine[Any, Any, None]]


async def hold_by_execute(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    await uow.session.execute(held.statement)


async def hold_by_stream(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    await (await uow.session.stream(held.statement)).fetchall()


async def hold_by_connection(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    await (await uow.session.connection()).execute(held.statement)


async def hold_by_run_sync(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    await uow.session.run_sync(lambda sync: sync.execute(held.statement))


async def hold_by_run_sync_on_connection(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    await uow.session.run_sync(lambda sync: sync.connection().execute(held.statement))


async def hold_by_flush(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    uow.session.add(Tag(name="held", weight=held.value))
    await uow.session.flush()


async def hold_by_autoflush(uow: DatabaseUnitOfWork, held: HeldStatement) -> None:
    uow.session.add(Tag(name="held", weight=held.value))
    await uow.users.count()


HOLDS = [
    hold_by_execute,
    hold_by_stream,
    hold_by_connection,
    hold_by_run_sync,
    hold_by_run_sync_on_connection,
    hold_by_flush,
    hold_by_autoflush,
]
