"""Many clients, at the same time, of several server processes on one database."""

import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2

from tests.support.steward_server import ADMIN_PASSWORD, AS_SHIPPED, StewardServer

from .databases import fresh_database

PATIENCE = 60.0  # seconds for an answer: a guard against a hang, for the machine may be busy
_COMING_BACK = 60.0  # seconds for all attempts together
_COME_BACK = ("overloaded", "database_unavailable", "deadline_exceeded", "idempotency_key_in_use", "conflict")


class NeverDone(Exception):
    """The server has always said to come back later."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """`url` is that of the database. All act as the admin, who may do everything; `ada` and `bob` own things too."""

    url: str
    servers: list[StewardServer]
    credentials: dict[str, str]

    @asynccontextmanager
    async def client(self, number: int, url: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """Of one of the servers in turn, or of `url`."""
        base_url = url or self.servers[number % len(self.servers)].url
        options: Any = {"base_url": base_url, "headers": self.credentials, "timeout": PATIENCE}
        async with httpx2.AsyncClient(**options, verify=False) as client:  # to read certificates takes its time
            yield client

    def create(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = (
            self.servers[0].client.post("/items", json={"name": "Box", **fields}).raise_for_status().json()
        )
        return made

    async def sql(self, query: str) -> list[tuple[Any, ...]]:
        """One statement, of another client of the database than the servers."""
        if self.url.startswith("sqlite"):
            with sqlite_file(self.url) as file:
                return file.execute(query).fetchall()
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()


@contextmanager
def sqlite_file(url: str) -> Iterator[sqlite3.Connection]:
    """Waits for nobody who writes."""
    connection = sqlite3.connect(url.partition(":///")[2], timeout=0, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@asynccontextmanager
async def crowd(backend: str, *, servers: int, **settings: object) -> AsyncIterator[Crowd]:
    """On an empty database of that backend."""
    async with fresh_database(backend) as url:
        with ExitStack() as stack:
            shipped = {**AS_SHIPPED, **settings}
            started = [stack.enter_context(StewardServer(url, "--migrate", **shipped)) for _ in range(servers)]
            started[0].sign_in()
            for name in ("ada", "bob"):
                user = {"username": name, "email": f"{name}@example.org", "password": ADMIN_PASSWORD}
                started[0].client.post("/users", json=user).raise_for_status()
            yield Crowd(url, started, started[0].credentials)


async def until_done(client: httpx2.AsyncClient, method: str, path: str, **request: Any) -> httpx2.Response:
    """As a client does: again, when the server says that nothing was stored and to come back. Raises `NeverDone`."""
    give_up_at = time.monotonic() + _COMING_BACK
    while True:
        answer = await client.request(method, path, **request)
        if code_of(answer) not in _COME_BACK:
            return answer
        if time.monotonic() > give_up_at:
            raise NeverDone(answer.text)


def code_of(answer: httpx2.Response) -> str:
    """Of the problem; empty for a success."""
    return str(answer.json()["code"]) if answer.is_error else ""
