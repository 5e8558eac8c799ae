"""The backends that the tests run on, and a real PostgreSQL for one of them."""

import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.adapters.database.engines import PoolSettings
from steward.adapters.database.operations import schema
from steward.adapters.memory import MemoryDatabase

from .support.postgres import NoPostgres, PostgresServer, execute
from .support.sqlite_files import copy_into_memory

DATABASE_BACKENDS = ("sqlite", "sqlite-memory", "postgres")
BACKENDS = ("memory", *DATABASE_BACKENDS)
# A busy machine is no reason to send a test away, nor to ask a connection whether it is still there.
PATIENT = PoolSettings(wait=60, connect=60, statement=60, busy=60, ping=60)
TESTS = Path(__file__).parent
# `STEWARD_EXPRESS=off` runs every test without the express lane, in this process and in those that it starts.
if os.environ.get("STEWARD_EXPRESS") == "off":
    (Database.__init__.__kwdefaults__ or {})["express"] = False
EXPRESS = pytest.mark.skipif(os.environ.get("STEWARD_EXPRESS") == "off", reason="about the express lane, which is off")
# What `make test` runs: each promise once on every backend, and each operation once through HTTP.
SHORT = tuple(
    TESTS / path for path in ("unit", "contract", "integration/use_cases", "e2e/http/test_every_operation.py")
)
FAULTS = TESTS / "faults"
# How fast examples are drawn and run says something of the machine alone.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
ran: Counter[str] = Counter()
skipped: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite",
        choices=("short", "rest", "all"),
        help="short: what `make test` runs; all: what `make test-all` runs; rest: the difference",
    )
    parser.addoption(
        "--without-postgres",
        action="store_true",
        help="leave the tests on PostgreSQL out, instead of failing",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`backend` is every backend of the unit of work, `database_backend` those on a database."""
    for name, backends in (
        ("backend", BACKENDS),
        ("database_backend", DATABASE_BACKENDS),
        ("server_backend", ("sqlite", "postgres")),
    ):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, backends)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--without-postgres"):
        return
    for item in items:
        named = "[postgres" in item.name or "-postgres" in item.name
        if named or {"postgres_url", "postgres_of_module"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason="--without-postgres"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    suite = config.getoption("--suite")
    is_short = any(collection_path.is_relative_to(path) for path in SHORT)
    leads_to_short = any(path.is_relative_to(collection_path) for path in SHORT)
    if suite is None or (suite != "short" and leads_to_short and not is_short):
        return None
    left_out = {"short": not (is_short or leads_to_short), "rest": is_short, "all": False}[suite]
    return True if left_out or collection_path.is_relative_to(FAULTS) else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        ran[_backend_of(report.nodeid)] += 1
    if report.skipped and isinstance(report.longrepr, tuple):
        skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    counts = ", ".join(f"{ran[backend]} {backend}" for backend in (*BACKENDS, "no backend") if ran[backend])
    terminalreporter.write_line(f"passed on each backend: {counts}")
    for reason, count in sorted(skipped.items()):
        terminalreporter.write_line(f"skipped: {count} ({reason})", yellow=True)
    if config.getoption("--without-postgres"):
        terminalreporter.write_line("PostgreSQL was left out (--without-postgres): this is half a test", red=True)
    if config.getoption("--suite") == "short":
        terminalreporter.write_line(f"not run: {_not_short()}; `make test-all` runs them")
    if config.getoption("--suite") == "all":
        terminalreporter.write_line("not run: `make faults`, `make fuzz` and `make scale`, which take longer")


def _not_short() -> str:
    """What `make test` leaves out, by folder."""
    modules = [path for path in TESTS.rglob("test_*.py") if not any(path.is_relative_to(short) for short in SHORT)]
    folders = Counter(path.relative_to(TESTS).parts[0] for path in modules if not path.is_relative_to(FAULTS))
    return ", ".join(f"{count} modules of tests/{folder}" for folder, count in sorted(folders.items()))


def _backend_of(nodeid: str) -> str:
    parameters = nodeid.partition("[")[2].rstrip("]")
    for backend in sorted(BACKENDS, key=len, reverse=True):
        if parameters == backend or parameters.startswith(f"{backend}-") or parameters.endswith(f"-{backend}"):
            return backend
    return "no backend"


class Postgres:
    """A server with a template that has the schema; a database is cloned from it for each test that asks."""

    def __init__(self, url: str) -> None:
        self.admin_url = url
        self._numbers = itertools.count()
        self.prefix = f"steward_test_{os.getpid()}"
        self.template = f"{self.prefix}_template"

    def url(self, database: str) -> str:
        return self.admin_url.rpartition("/")[0] + "/" + database

    async def make_template(self) -> None:
        await execute(self.admin_url, f"DROP DATABASE IF EXISTS {self.template}", f"CREATE DATABASE {self.template}")
        async with Database(self.url(self.template)) as database:
            await schema.upgrade(database)

    async def create(self, *, empty: bool = False) -> str:
        """With `STEWARD_TEST_ISOLATION` (`serializable`), every transaction in it has that isolation."""
        name = f"{self.prefix}_{next(self._numbers)}"
        await execute(self.admin_url, f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else self.template}")
        if isolation := os.environ.get("STEWARD_TEST_ISOLATION"):
            # All that our transactions leave to the server; so that servers of the tests, and processes, need no word.
            await execute(self.admin_url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
        return self.url(name)

    async def drop(self, url: str) -> None:
        await execute(self.admin_url, f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of `STEWARD_TEST_POSTGRES_URL`, else of a server that is started for this run."""
    if given := os.environ.get("STEWARD_TEST_POSTGRES_URL"):
        yield given
        return
    try:
        server = PostgresServer()
    except NoPostgres as error:
        pytest.fail(
            f"No PostgreSQL could be had: {error}\nLeave its tests out with --without-postgres.",
            pytrace=False,
        )
    try:
        yield server.url("postgres")
    finally:
        server.stop()


@pytest_asyncio.fixture(scope="session")
async def postgres(postgres_server_url: str) -> AsyncIterator[Postgres]:
    postgres = Postgres(postgres_server_url)
    await postgres.make_template()
    yield postgres
    await postgres.drop(postgres.url(postgres.template))


@pytest_asyncio.fixture
async def postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    """A PostgreSQL database of this test alone, with the schema."""
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest_asyncio.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed SQLite file with the schema: the migrations run once, not once for each test."""
    path = tmp_path_factory.mktemp("template") / "steward.db"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        await schema.upgrade(database)
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite file of this test alone, with the schema."""
    copyfile(sqlite_template, tmp_path / "steward.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}"


def _database_url(backend: str, request: pytest.FixtureRequest) -> str:
    if backend in ("memory", "sqlite-memory"):
        return "sqlite+aiosqlite:///:memory:"
    return str(request.getfixturevalue("postgres_url" if backend == "postgres" else "sqlite_url"))


@pytest.fixture
def server_url(server_backend: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database that several processes can share."""
    return _database_url(server_backend, request)


@pytest.fixture
def database_url(database_backend: str, request: pytest.FixtureRequest) -> str:
    return _database_url(database_backend, request)


@pytest_asyncio.fixture
async def database(database_url: str, sqlite_template: Path) -> AsyncIterator[Database]:
    """An open database with the schema; the test must leave no connection behind."""
    async with Database(database_url, pool=PATIENT) as database:
        if database_url.endswith(":memory:"):
            copy_into_memory(sqlite_template, database)
        yield database
        assert database.checked_out() == 0, "a connection was left checked out"


@pytest.fixture
def backend_url(backend: str, request: pytest.FixtureRequest) -> str:
    return _database_url(backend, request)


@pytest_asyncio.fixture
async def store(backend: str, backend_url: str, sqlite_template: Path) -> AsyncIterator[MemoryDatabase | Database]:
    """Whatever makes units of work, in every backend."""
    if backend == "memory":
        yield MemoryDatabase()
        return
    async with Database(backend_url, pool=PATIENT) as database:
        if backend_url.endswith(":memory:"):
            copy_into_memory(sqlite_template, database)
        yield database
        assert database.checked_out() == 0, "a connection was left checked out"
