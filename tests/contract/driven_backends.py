"""What the state machine drives: one backend of storage, its task, its unit of work, and what it has answered."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.errors import InvalidValue, TransactionAborted
from steward.domain.items import Item, ItemId, Transfer
from steward.domain.users import Owner, User, UserId
from steward.service_layer.unit_of_work import UnitOfWork

NOBODY = 7_000_000


@dataclass(frozen=True)
class Raised:
    """An error as it can be compared: `because` is what made a transaction fail."""

    kind: str
    field: str | None = None
    because: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> "Raised":
        because = type(error.__cause__).__name__ if isinstance(error, TransactionAborted) else None
        return cls(type(error).__name__, error.field if isinstance(error, InvalidValue) else None, because)


class Task:
    """One task that does one step after the other, so that it stands in the blocks that its steps have entered."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]] | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._work(), context=Context())

    async def do(self, step: Callable[[], Awaitable[Any]]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._steps.put((step, answer))
        return await answer

    async def end(self) -> None:
        await self._steps.put(None)
        await self._task

    async def _work(self) -> None:
        while (job := await self._steps.get()) is not None:
            step, answer = job
            try:
                answer.set_result(await step())
            except BaseException as error:
                answer.set_result(Raised.of(error))


class Ids:
    """Ids are compared by the order of their creation, because backends may leave gaps of their own.

    SQLite may give the id of something again whose creation was rolled back, so the latest creation owns it.
    """

    def __init__(self) -> None:
        self._created: list[int] = []
        self._number: dict[int, int] = {}

    def create(self, new: int) -> None:
        self._number[new] = len(self._created)
        self._created.append(new)

    def number(self, of: int) -> int | None:
        return self._number.get(of)

    def of(self, number: int | None) -> int:
        """The id of what was created as number `number`, or one that nobody has."""
        if number is None or number >= len(self._created) or self._number[self._created[number]] != number:
            return NOBODY
        return self._created[number]


class DrivenBackend:
    """One backend. `users` and `items` are what has come out of it, to be changed and saved later."""

    def __init__(self, store: MemoryDatabase | Database) -> None:
        self.store = store
        self.uow: UnitOfWork = store.unit_of_work()
        self.blocks: list[AbstractAsyncContextManager[object]] = []
        self.reader: UnitOfWork = store.unit_of_work()
        self.reading: AbstractAsyncContextManager[object] | None = None
        self.task, self.reader_task = Task(), Task()
        self.users: list[tuple[int | None, User]] = []
        self.items: list[tuple[int | None, Item]] = []
        self._user_ids, self._item_ids = Ids(), Ids()

    def block(self, kind: str) -> AbstractAsyncContextManager[object]:
        if kind == "writing":
            return self.uow
        return self.uow.savepoint() if kind == "savepoint" else self.uow.reading(snapshot=kind == "snapshot")

    async def enter(self, block: AbstractAsyncContextManager[object]) -> None:
        await block.__aenter__()
        self.blocks.append(block)

    async def leave(self, error: BaseException | None = None) -> str:
        """As `async with` does; an error that comes back unchanged is no news."""
        block = self.blocks.pop()
        try:
            await block.__aexit__(None if error is None else type(error), error, None)
        except BaseException as arrived:
            if arrived is not error:
                raise
        return "left"

    async def contents(self) -> object:
        """What is committed."""
        async with self.store.unit_of_work().reading(snapshot=True) as uow:
            return self.seen([await uow.users.page(limit=1000), await uow.items.page_with_owner(limit=1000)])

    def in_use(self) -> int:
        return self.store.open_units if isinstance(self.store, MemoryDatabase) else self.store.checked_out()

    def keep(self, answer: object, *, created: bool) -> None:
        for each in answer if isinstance(answer, list) else [answer]:
            if isinstance(each, User):
                if created:
                    self._user_ids.create(each.id)
                self.users.append((self._user_ids.number(each.id), each))
            elif isinstance(each, Item):
                if created:
                    self._item_ids.create(each.id)
                self.items.append((self._item_ids.number(each.id), each))
            elif isinstance(each, Transfer):
                self.keep(each.received, created=created and each.item is not None)

    def seen(self, answer: object) -> object:
        """The answer with the order of creation in the place of ids."""
        if isinstance(answer, list):
            return [self.seen(each) for each in answer]
        if isinstance(answer, User):
            return ("user", self._user_ids.number(answer.id), *_rest(answer))
        if isinstance(answer, Item):
            owner = self._user_ids.number(answer.owner_id)
            return ("item", self._item_ids.number(answer.id), owner, *_rest(answer))
        if isinstance(answer, Owner):
            return ("owner", self._user_ids.number(answer.id), answer.username)
        if is_dataclass(answer) and not isinstance(answer, Raised):
            return (type(answer).__name__, *(self.seen(getattr(answer, field.name)) for field in fields(answer)))
        return answer

    def user_id(self, number: int) -> UserId:
        return UserId(self._user_ids.of(number))

    def item_id(self, number: int) -> ItemId:
        return ItemId(self._item_ids.of(number))

    def user(self, number: int) -> User:
        """One of the latest that came out."""
        created, user = self.users[-1 - number % len(self.users)]
        user.id = UserId(self._user_ids.of(created))
        return user

    def item(self, number: int) -> Item:
        created, item = self.items[-1 - number % len(self.items)]
        item.id = ItemId(self._item_ids.of(created))
        return item


def _rest(entity: User | Item) -> tuple[object, ...]:
    return tuple(repr(getattr(entity, field.name)) for field in fields(entity) if field.name not in ("id", "owner_id"))
