"""A fresh scene for each cell of the matrix, with its caller on it, and what is stored before and after."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx2
from sqlalchemy import select
from steward.adapters.database import tables
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.login_sessions import Lifetimes, LoginSession
from steward.domain.users import MAX_ID, PasswordHash, Role, User
from steward.service_layer import login_sessions, users
from steward.service_layer.tokens import Tokens
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import given_item, given_session, given_user

from tests.e2e.http.matrix import BAD_TOKENS, PASSWORD, Row
from tests.support.http import Api

SYSTEM = Actor.system()
_NOBODYS = MAX_ID  # an id that the database has not given yet


@dataclass(frozen=True, slots=True)
class Scene:
    """The owner has an item and two sessions, one of them the caller's if the owner calls; the other user has an item.

    The fields are what stands in braces in the matrix.
    """

    owner: int
    other: int
    item: int
    others_item: int
    session: int
    refresh_token: str

    def without_what_is_not_of(self, caller: str) -> "Scene":
        """The ids of what the caller may not see are those of nothing at all."""
        if caller == "owner":
            return replace(self, other=_NOBODYS, others_item=_NOBODYS)
        if caller == "other":
            return replace(self, owner=_NOBODYS, item=_NOBODYS, session=_NOBODYS)
        return replace(self, session=_NOBODYS)

    def filled(self, template: Any) -> Any:
        """With the ids for what stands in braces: as text inside of text, as numbers where they stand alone."""
        if isinstance(template, dict):
            return {name: self.filled(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.filled(value) for value in template]
        if not isinstance(template, str):
            return template
        values = {name: getattr(self, name) for name in self.__slots__}
        alone = template[1:-1] if template.startswith("{") and template.endswith("}") else ""
        return values[alone] if alone in values else template.format(**values)


class _InOneTransaction:
    """A store whose units of work are one that is open already: what is given is committed together."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def unit_of_work(self) -> UnitOfWork:
        return self._uow


async def given_scene(api: Api, caller: str) -> tuple[Scene, dict[str, str]]:
    """And the headers that the caller sends. Nobody else is in the database."""
    await _clear(api.database)
    password_hash: PasswordHash = await api.container.hasher().hash(PASSWORD)
    async with api.database.unit_of_work() as uow:
        store = _InOneTransaction(uow)
        owner = await given_user(store, username="owner", password_hash=password_hash)
        other = await given_user(store, username="other", password_hash=password_hash)
        admin = await given_user(store, username="admin", role=Role.ADMIN, password_hash=password_hash)
        await given_user(store, role=Role.ADMIN)  # so that no admin is the last one
        item = await given_item(store, owner=owner, quantity=3)
        others_item = await given_item(store, owner=other)
        session, tokens = await given_session(store, user=owner)
        scene = Scene(owner.id, other.id, item.id, others_item.id, session.id, tokens.refresh)
        by_name = {"owner": owner, "other": other, "admin": admin}
        headers = {} if caller == "anonymous" else await _headers_of(store, caller, by_name.get(caller))
        await uow.commit()
    return scene, headers


async def _headers_of(store: _InOneTransaction, caller: str, user: User | None) -> dict[str, str]:
    user = user or await given_user(store, role=Role.ADMIN)
    lifetimes = Lifetimes(access=timedelta(0)) if caller == "expired" else Lifetimes()
    session, tokens = await given_session(store, user=user, lifetimes=lifetimes)
    if caller in BAD_TOKENS:
        await _spoil(store.unit_of_work(), caller, user, session)
    return bearer(Tokens.draw().access if caller == "forged" else tokens.access)


async def _spoil(uow: UnitOfWork, caller: str, user: User, session: LoginSession) -> None:
    if caller == "deactivated":
        # Not by the use case, which ends the sessions: the account itself has to be asked, too.
        async with uow:
            user.is_active = False
            await uow.users.save(user)
            await uow.commit()
    elif caller == "deleted":
        await users.delete_user(uow, SYSTEM, user_id=user.id)
    elif caller == "logged out":
        await login_sessions.end_login_session(uow, SYSTEM, session_id=session.id)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def send(
    api: Api, row: Row, scene: Scene, headers: dict[str, str], *, method: str | None = None
) -> httpx2.Response:
    own_method, _, path = row.call.partition(" ")
    if isinstance(row.sent, str):
        sent: dict[str, Any] = {"content": row.sent}
        headers = {**headers, "Content-Type": "application/x-ndjson"}
    else:
        sent = {} if row.sent is None else {"data" if row.by_form else "json": scene.filled(row.sent)}
    return await api.anonymous.request(method or own_method, scene.filled(path), headers=headers, **sent)


def answer_of(response: httpx2.Response) -> str:
    """As the matrix writes it."""
    return f"{response.status_code} {response.json()['code']}" if response.is_error else str(response.status_code)


async def stored(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    async with database.reader() as session:
        return {
            table.name: [tuple(row) for row in await session.execute(select(table).order_by(*table.primary_key))]
            for table in tables.metadata.sorted_tables
        }


async def _clear(database: Database) -> None:
    async with database.session() as session:
        for table in reversed(tables.metadata.sorted_tables):
            await session.execute(table.delete())
