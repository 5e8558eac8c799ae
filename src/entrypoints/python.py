"""Steward from Python, without HTTP: `steward.open`."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..adapters.database.database import Database
from ..adapters.database.operations import schema
from ..adapters.database.unit_of_work import DatabaseUnitOfWork
from ..bootstrap import Container, container_for
from ..config import Settings, load_settings
from ..domain.actors import Actor
from ..domain.items import Item
from ..domain.users import Role, User, UserId
from ..service_layer import batch, exports, imports, items, lists, login_sessions, retry, users
from ..service_layer.hashing import Hasher
from ..service_layer.unit_of_work import UnitOfWork

P = ParamSpec("P")
Result = TypeVar("Result")


class Steward:
    """What `steward.open` gives. Each function of `users`, `items` and `sessions` is a use case in a transaction of its
    own, run again on a conflict; inside an open block of this task it raises `AlreadyInTransaction`."""

    def __init__(self, container: Container) -> None:
        self.database: Database = container.database()
        self.users = Users(self, container.hasher(), open_to_all=container.settings().registration == "open")
        self.items = Items(self)
        self.sessions = Sessions(self)

    def unit_of_work(self) -> DatabaseUnitOfWork:
        """To compose several use cases in one transaction."""
        return self.database.unit_of_work()

    async def run(
        self,
        use_case: Callable[Concatenate[UnitOfWork, Actor, P], Awaitable[Result]],
        actor: Actor,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Call your own `async def use_case(uow, actor, …)` on a new unit of work, again on a conflict."""
        return await retry.run(self.unit_of_work(), use_case, actor, *args, **kwargs)

    def bind(
        self, use_case: Callable[Concatenate[UnitOfWork, Actor, P], Awaitable[Result]]
    ) -> Callable[Concatenate[Actor, P], Coroutine[Any, Any, Result]]:
        """The same function without its unit of work: each call has one of its own."""

        async def bound(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            return await self.run(use_case, actor, *args, **kwargs)

        bound.__doc__ = use_case.__doc__
        bound.__name__ = getattr(use_case, "__name__", bound.__name__)
        return bound


class Users:
    def __init__(self, steward: Steward, hasher: Hasher, *, open_to_all: bool) -> None:
        self._steward = steward
        self._hasher = hasher
        self._open_to_all = open_to_all
        self.get = steward.bind(users.get_user)
        self.find = steward.bind(users.find_user)
        self.list = steward.bind(lists.list_users)
        self.update = steward.bind(users.update_user)
        self.delete = steward.bind(users.delete_user)

    async def register(
        self, actor: Actor, *, username: str, email: str, password: str, role: Role = Role.MEMBER
    ) -> User:
        """As `register_user`, open to all if the settings say so; the password is hashed before the transaction
        begins."""
        password_hash = await self._hasher.hash(password)
        return await self._steward.run(
            users.register_user,
            actor,
            username=username,
            email=email,
            password_hash=password_hash,
            role=role,
            open_to_all=self._open_to_all,
        )

    async def set_password(self, actor: Actor, *, user_id: UserId, password: str) -> None:
        """As `set_password`; the password is hashed before the transaction begins."""
        password_hash = await self._hasher.hash(password)
        await self._steward.run(users.set_password, actor, user_id=user_id, password_hash=password_hash)


class Items:
    def __init__(self, steward: Steward) -> None:
        self._steward = steward
        self.create = steward.bind(items.create_item)
        self.get = steward.bind(items.get_item)
        self.get_with_owner = steward.bind(items.get_item_with_owner)
        self.list = steward.bind(lists.list_items)
        self.list_with_owner = steward.bind(lists.list_items_with_owner)
        self.update = steward.bind(items.update_item)
        self.delete = steward.bind(items.delete_item)
        self.transfer = steward.bind(items.transfer_item)
        self.batch = steward.bind(batch.run_batch)
        self.import_ = steward.bind(imports.import_items)

    def export(self, actor: Actor, *, owner_id: UserId | None = None) -> AsyncGenerator[list[Item], None]:
        """As `export_items`: a few at a time, each part a short read of its own."""
        return exports.export_items(self._steward.unit_of_work(), actor, owner_id=owner_id)


class Sessions:
    def __init__(self, steward: Steward) -> None:
        self.list = steward.bind(login_sessions.list_login_sessions)
        self.end = steward.bind(login_sessions.end_login_session)
        self.end_all_of = steward.bind(login_sessions.end_login_sessions_of)


@asynccontextmanager
async def open(database: str | Settings, *, migrate: bool = False) -> AsyncIterator[Steward]:
    """Open Steward on a database URL, or on settings; leaving closes the pool.

    With `migrate` the schema is brought up to date first; without it an old one raises `SchemaOutOfDate`. Raises
    `ConfigurationError` for a URL of an unknown driver, and `DatabaseUnavailable`.
    """
    settings = database if isinstance(database, Settings) else load_settings(database_url=database)
    container = container_for(settings)
    async with container.database() as opened:
        if migrate:
            await schema.upgrade(opened)
        await schema.require_newest(opened)
        try:
            yield Steward(container)
        finally:
            container.hasher().close()
