"""Nothing that is sent makes a 5xx, every answer is a documented one, and what is refused stores nothing.

The requests are made from the OpenAPI document, so that no endpoint is left out.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from steward.domain.users import Role
from steward.testing import given_item, given_session, given_user

from tests.support.http import Api, serving
from tests.support.steward_server import PATIENT

from .amount import EXAMPLES
from .bad_requests import Operation, Request, Sample, operations_of
from .instances import Known

TABLES = ("users", "items", "sessions", "tokens", "attempt_counters", "idempotency_keys")
PASSWORD = "sword fish 8"
ALL = bool(EXAMPLES)
ROLES = [Role.ADMIN, Role.MEMBER] if ALL else [Role.ADMIN]
REFUSED_TO_MEMBERS = {(operation, Role.MEMBER) for operation in ("list_users", "update_user")}


@dataclass(frozen=True, slots=True)
class Scene:
    """`known` makes every operation succeed, and whatever one has stored can be taken back."""

    api: Api
    known: Known
    authorization: bytes
    stored: "Stored"

    async def send(self, operation: Operation, request: Request) -> httpx2.Response:
        """The client checks the answer. Fails if a refusal has stored something."""
        if operation.wants_sign_in and all(name != b"Authorization" for name, _ in request.headers):
            request = request.with_header(b"Authorization", self.authorization)
        response = await self.api.anonymous.send(request.to(self.api.anonymous.base_url))
        if operation.method != "GET":
            changed = await self.stored.take_back()
            assert response.is_success or not changed, f"{response.status_code}, and yet something is stored: {request}"
        return response


class Stored:
    """What is in the tables, and shall be again after each request."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._contents: list[Any] = []
        self._mark: Any = None

    async def keep(self) -> None:
        for table in TABLES:
            await self._connection.exec_driver_sql(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
        self._contents, self._mark = await self._dump(), await self._read_mark()

    async def take_back(self) -> bool:
        """Whether anything had changed."""
        if await self._read_mark() == self._mark:
            return False
        changed = await self._dump() != self._contents
        if changed:
            for table in reversed(TABLES):
                await self._connection.exec_driver_sql(f"DELETE FROM {table}")
            for table in TABLES:
                await self._connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        self._mark = await self._read_mark()
        return changed

    async def _read_mark(self) -> Any:
        """Another one whenever somebody has stored something, and perhaps at other times: one look instead of six."""
        is_sqlite = self._connection.dialect.name == "sqlite"
        statement = "PRAGMA data_version" if is_sqlite else "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
        return (await self._connection.exec_driver_sql(statement)).scalar_one()

    async def _dump(self) -> list[Any]:
        return [sorted(await self._connection.exec_driver_sql(f"SELECT * FROM {table}")) for table in TABLES]


@asynccontextmanager
async def scene_of(role: Role, url: str) -> AsyncIterator[Scene]:
    async with serving(url, **PATIENT) as api:
        store = api.database
        caller = await given_user(store, role=role, password_hash=await api.container.hasher().hash(PASSWORD))
        other = await given_user(store)
        session, tokens = await given_session(store, user=caller)
        target = other if role is Role.ADMIN else caller
        item, second = await given_item(store, owner=target, quantity=3), await given_item(store, owner=target)
        recipient = await given_user(store)
        parameters = {
            "user_id": target.id,
            "items": "delete",
            "item_id": item.id,
            "session_id": session.id,
            "slug": "conflict",
        }
        members = {
            "username": "new", "email": "new@example.org", "password": "battery staple", "name": "Box",
            "current_password": PASSWORD, "new_password": "battery staple", "role": "member", "owner_id": caller.id,
            "to": recipient.username, "user_id": recipient.id, "item_id": second.id, "refresh_token": tokens.refresh,
            "grant_type": "refresh_token", "id": item.id, "version": 1,
        }  # fmt: skip
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            if url.startswith("sqlite"):
                await connection.exec_driver_sql("PRAGMA synchronous = OFF")
            stored = Stored(connection)
            await stored.keep()
            authorization = f"Bearer {tokens.access}".encode()
            try:
                yield Scene(api, Known(parameters, members), authorization, stored)
            finally:
                await connection.close()
                await engine.dispose()


def says_where(response: httpx2.Response, where: str) -> bool:
    """That it names what was wrong, or something around or inside it."""
    problem = response.json()
    if problem["code"] != "invalid_request" or not where:
        return True
    named = [fault.get("pointer", fault.get("parameter", "")) for fault in problem["errors"]]
    return any(each.startswith(where) or where.startswith(each) for each in named)


@pytest.mark.parametrize("role", ROLES)
async def test_whatever_is_sent_is_answered_as_documented_and_a_refusal_stores_nothing(
    role: Role, server_backend: str, server_url: str
) -> None:
    """In the long run every value is tried in every place, as an admin and as a member. In the short one the two
    databases share what is sent: what is malformed is refused before it comes to either."""
    sent: Counter[int] = Counter()
    sample = Sample(1 if ALL else 8)
    first, step = (0, 1) if ALL else (["sqlite", "postgres"].index(server_backend), 2)
    async with scene_of(role, server_url) as scene:
        for operation in operations_of(scene.api.document).values():
            good = await scene.send(operation, operation.good(scene.known))
            assert good.is_success or (operation.id, role) in REFUSED_TO_MEMBERS, f"{operation.id}: {good.text}"
            for request in islice(operation.bad(scene.known, sample), first, None, step):
                response = await scene.send(operation, request)
                assert not response.is_error or says_where(response, request.where), (request, response.text)
                sent[response.status_code] += 1
    print(f"{sum(sent.values())} hostile requests:", dict(sorted(sent.items())))  # noqa: T201 - `make fuzz` shows it
