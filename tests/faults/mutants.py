"""Variants of the product that are broken on purpose: of each fault that the suite looks for, one that has it.

`python -m tests.faults.mutants NAME serve …` is `steward serve …` of the variant. Each is a patch of the running
program, made before it starts.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import update
from starlette.types import Receive, Scope, Send
from steward.adapters.database import tables
from steward.adapters.database.express.express_transaction import ExpressTransaction
from steward.adapters.database.express.held_connection import HeldConnection
from steward.adapters.database.repositories.items import DatabaseItems
from steward.adapters.database.session_transaction import SessionTransaction
from steward.adapters.unit_of_work.block_unit_of_work import BlockUnitOfWork
from steward.adapters.unit_of_work.blocks import Block
from steward.domain.actors import Actor
from steward.domain.errors import Conflict, IdempotencyKeyInUse, OutcomeUnknown
from steward.domain.items import Item, ToItem, Transfer
from steward.domain.versions import Expected
from steward.entrypoints.http.middleware.envelope import Envelope
from steward.entrypoints.http.requests import idempotency as http_idempotency
from steward.service_layer import idempotency, items
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork

from tests.support.steward_server import StewardServer

_TURN_OF_OTHERS = 0.05  # seconds

_uncommitted: ContextVar[list[BlockUnitOfWork] | None] = ContextVar("uncommitted", default=None)


@contextmanager
def in_place_of_the_product(mutant: str) -> Iterator[None]:
    """Every `StewardServer` that is started meanwhile is the mutant."""
    before = StewardServer.module
    StewardServer.module = ("tests.faults.mutants", mutant)
    try:
        yield
    finally:
        StewardServer.module = before


def commit_after_the_response() -> None:
    """As a session by `Depends` does whose exit code commits: the answer has been sent, and others had their turn.

    Of requests about items alone: else hardly anybody who has signed in would be known at the next request.
    """
    serve, commit, begin = Envelope.__call__, BlockUnitOfWork._commit_and_end, BlockUnitOfWork._begin

    async def commit_all() -> None:
        while waiting := _uncommitted.get():
            unit = waiting.pop()
            with unit._one_task:
                await unit._transaction.commit()
                await unit._transaction.end()

    async def serve_and_commit(self: Envelope, scope: Scope, receive: Receive, send: Send) -> None:
        _uncommitted.set([] if scope.get("path", "").startswith("/items") else None)
        await serve(self, scope, receive, send)
        if _uncommitted.get():
            await asyncio.sleep(_TURN_OF_OTHERS)
            await commit_all()

    async def commit_later(self: BlockUnitOfWork, block: Block) -> None:
        waiting = _uncommitted.get()
        if waiting is None:
            await commit(self, block)
        else:
            block.committed = True
            waiting.append(self)

    async def commit_and_begin(self: BlockUnitOfWork, *args: Any) -> None:
        await commit_all()  # of one request there is one at a time
        await begin(self, *args)

    _patch(Envelope, "__call__", serve_and_commit)
    _patch(BlockUnitOfWork, "_commit_and_end", commit_later)
    _patch(BlockUnitOfWork, "_begin", commit_and_begin)


def no_rollback_on_cancel() -> None:
    """A block that a cancellation ends leaves its connection as it is, and nobody comes back for it."""
    leave = BlockUnitOfWork.leave
    left: list[tuple[Any, Any]] = []  # or the garbage collector would clean up

    async def leave_as_it_is(self: BlockUnitOfWork, block: Block | None, error: BaseException | None) -> None:
        block = block or self._blocks.innermost_plain()
        transaction = self._transaction
        assert isinstance(transaction, SessionTransaction)
        if isinstance(error, asyncio.CancelledError) and not block.committed:
            left.append((transaction._session, transaction._admission))
            transaction._session = transaction._admission = None
            if isinstance(transaction, ExpressTransaction):
                left.append((transaction._held, None))
                transaction._held, transaction._is_on_lane = HeldConnection(transaction._direct), False
        await leave(self, block, error)

    _patch(BlockUnitOfWork, "leave", leave_as_it_is)


def read_modify_write_transfer() -> None:
    """What was read before the transaction is computed with and written, whatever it has become meanwhile."""
    transfer = items.transfer_item

    async def write(uow: UnitOfWork, item: Item) -> None:
        repository = uow.items
        assert isinstance(repository, DatabaseItems)
        item.version += 1
        table, transaction = tables.items, repository._transaction
        values = {"quantity": item.quantity, "version": item.version}
        await transaction.execute(update(table).where(table.c.id == item.id).values(values))
        transaction.wrote(item)

    async def transfer_item(uow: UnitOfWork, actor: Actor, **given: Any) -> Transfer:
        to = given["to"]
        if not isinstance(to, ToItem) or to.item_id == given["item_id"]:
            return await transfer(uow, actor, **given)
        async with uow.reading():
            item, target = await uow.items.get(given["item_id"]), await uow.items.get(to.item_id)
            at = uow.now
        moved = given.get("quantity") or item.quantity
        if moved:
            item.take(moved, at=at)
            target.put(moved, at=at)
            async with uow:
                await write(uow, item)
                await write(uow, target)
                await uow.commit()
        return Transfer(item=item, received=target)

    _patch(items, "transfer_item", transfer_item)


def retry_of_an_ambiguous_commit() -> None:
    """A connection that is lost during COMMIT is taken for a conflict, of which nothing is stored."""
    for transaction in (SessionTransaction, ExpressTransaction):
        _patch(transaction, "commit", _or_conflict(transaction.commit))


def _or_conflict(commit: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def commit_or_conflict(self: Any) -> None:
        try:
            await commit(self)
        except OutcomeUnknown as error:
            raise Conflict from error

    return commit_or_conflict


def check_then_insert_idempotency() -> None:
    """The key is looked up, and inserted when the effect is there: whoever comes between has it once more."""

    async def run_once(uow: UnitOfWork, use_case: Any, actor: Actor, **given: Any) -> idempotency.Answer:
        key, keys, answer = given.pop("key"), given.pop("keys"), given.pop("answer")
        given.pop("owner_of")
        if (found := await idempotency.find_answer(uow, actor, key=key)) is not None:
            return idempotency.Answer(found, replayed=True)
        content = answer(await run(uow, use_case, actor, **given))
        try:
            async with uow:
                if await uow.idempotency_keys.claim(key, at=uow.now, until=uow.now + keys.lifetime) is None:
                    await uow.idempotency_keys.remember(key, content, at=uow.now)
                    await uow.commit()
        except IdempotencyKeyInUse:
            pass  # somebody else is just inserting it
        return idempotency.Answer(content, replayed=False)

    _patch(http_idempotency, "run_once", run_once)


def last_writer_wins() -> None:
    """If-Match is taken, and nothing is held against it."""

    def check_version(actual: int, expected: Expected) -> None:
        pass

    _patch(items, "check_version", check_version)


MUTANTS = (
    commit_after_the_response,
    no_rollback_on_cancel,
    read_modify_write_transfer,
    retry_of_an_ambiguous_commit,
    check_then_insert_idempotency,
    last_writer_wins,
)


def _patch(of: object, name: str, by: Callable[..., Any]) -> None:
    assert hasattr(of, name), f"There is no {name} to break any more"
    setattr(of, name, by)


# Worker processes import this module, too, and need the same fault.
if __name__ in ("__main__", "__mp_main__"):
    {mutant.__name__: mutant for mutant in MUTANTS}[sys.argv[1]]()

if __name__ == "__main__":
    from steward.entrypoints.cli.main import app

    app(sys.argv[2:])
