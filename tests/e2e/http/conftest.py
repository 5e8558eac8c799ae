"""The application in this process, or as a server, with a client that checks what it answers.

One for all tests of a module: a test makes what it needs, under names that nobody else has.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.adapters.database.express import inline_reads
from steward.adapters.database.operations import schema

from tests.conftest import Postgres
from tests.support.http import Api, hold_to_the_contract, serving
from tests.support.steward_server import StewardServer


@pytest_asyncio.fixture(scope="module")
async def sqlite_of_module(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('http') / 'steward.db'}"
    async with Database(url) as database:
        await schema.upgrade(database)
    return url


@pytest_asyncio.fixture(scope="module")
async def postgres_of_module(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def url_of_module(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_of_module"))


@pytest_asyncio.fixture(scope="module")
async def api(url_of_module: str) -> AsyncIterator[Api]:
    """On SQLite and on PostgreSQL."""
    async with serving(url_of_module, max_body_size=100_000, max_batch_body_size=100_000) as api:
        yield api


@pytest.fixture(scope="module", autouse=True)
def unhurried_reads() -> Iterator[None]:
    """No small read of a SQLite file is left to a thread because a busy machine has interrupted it: it
    would be counted twice, or cost more. Of applications in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inline_reads, "LONGEST", 60.0)
        yield


@pytest_asyncio.fixture(scope="module")
async def edge() -> AsyncIterator[Api]:
    """For what the database has no part in."""
    async with serving("sqlite+aiosqlite:///:memory:", max_body_size=100_000, max_batch_body_size=100_000) as api:
        yield api


@pytest.fixture(scope="module")
def sqlite_server(sqlite_of_module: str) -> Iterator[StewardServer]:
    with StewardServer(sqlite_of_module) as server:
        hold_to_the_contract(server.client)
        server.sign_in()
        yield server


@pytest.fixture(scope="module")
def postgres_server(postgres_of_module: str) -> Iterator[StewardServer]:
    with StewardServer(postgres_of_module) as server:
        hold_to_the_contract(server.client)
        server.sign_in()
        yield server


@pytest.fixture(scope="module")
def server(url_of_module: str, request: pytest.FixtureRequest) -> StewardServer:
    """A process of its own, on SQLite and on PostgreSQL."""
    server: StewardServer = request.getfixturevalue(
        "postgres_server" if url_of_module.startswith("postgres") else "sqlite_server"
    )
    return server
