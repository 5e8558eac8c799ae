"""Clients of a server in a process of its own: the blocking one on SQLite, the one for asyncio on PostgreSQL. Both run
the same conversation, which knows nothing of the database.

One server for all tests of a module: a test makes what it needs, under names that nobody else has.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import httpx2
import pytest
import pytest_asyncio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.client import AsyncClient, Client, Retries

from tests.conftest import Postgres
from tests.support.http import PASSWORD
from tests.support.steward_server import ADMIN_PASSWORD, StewardServer

from .blocking import Blocking

MakeClient = Callable[..., Client]
PATIENCE = 120.0  # seconds, of a busy machine
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module")
async def sqlite_of_module(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('client') / 'steward.db'}"
    async with Database(url) as database:
        await schema.upgrade(database)
    return url


@pytest_asyncio.fixture(scope="module")
async def postgres_of_module(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest.fixture(scope="module")
def sqlite_server(sqlite_of_module: str) -> Iterator[StewardServer]:
    with StewardServer(sqlite_of_module) as server:
        yield server


@pytest.fixture(scope="module")
def postgres_server(postgres_of_module: str) -> Iterator[StewardServer]:
    with StewardServer(postgres_of_module) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite-blocking", "postgres-asyncio"])
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """On which database, and which client."""
    form, _, client = request.param.partition("-")
    return form, client


@pytest.fixture(scope="module")
def url_of_module(way: tuple[str, str], request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{way[0]}_of_module"))


@pytest.fixture(scope="module")
def server(way: tuple[str, str], request: pytest.FixtureRequest) -> StewardServer:
    server: StewardServer = request.getfixturevalue(f"{way[0]}_server")
    return server


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def make_client(way: tuple[str, str], portal: BlockingPortal) -> Iterator[MakeClient]:
    """`Client`, or an `AsyncClient` that is called like one; closed at the end."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> Client:
            options = {"timeout": PATIENCE, "retries": Retries(deadline=PATIENCE), **options}
            # Without TLS: to read the certificates takes longer than most of the tests.
            if way[1] == "blocking":
                transport = httpx2.HTTPTransport(verify=False)
                return stack.enter_context(Client(url, transport=transport, **options))
            client = AsyncClient(url, transport=httpx2.AsyncHTTPTransport(verify=False), **options)
            stack.callback(portal.call, client.aclose)
            return cast(Client, Blocking(client, portal))

        yield make


@pytest.fixture
def admin(make_client: MakeClient, server: StewardServer) -> Client:
    return make_client(server.url).sign_in("admin", ADMIN_PASSWORD)


@pytest.fixture
def client(make_client: MakeClient, server: StewardServer) -> Client:
    """Of somebody who has just signed up and in."""
    client = make_client(server.url)
    return client.sign_in(signed_up(client), PASSWORD)


def signed_up(client: Client) -> str:
    """The name of a user whom nobody else knows."""
    name = f"user{next(_numbers)}"
    return client.users.register(username=name, email=f"{name}@example.org", password=PASSWORD).username
