"""The unit of work on PostgreSQL through PgBouncer in transaction mode is held to the same promises.

To those that could break there: what happens in a transaction, and what of it is left on a connection. How blocks nest,
and what the repositories' statements answer, has nothing to do with who stands between.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.testing.contract.cancellation import USE_CASES, Cancellation, UseCase, soon
from steward.testing.contract.failures import Failures
from steward.testing.contract.idempotency import Idempotency
from steward.testing.contract.isolation import Isolation
from steward.testing.contract.reading import Reading
from steward.testing.contract.savepoints import Savepoints
from steward.testing.contract.setting import LoseCommit
from steward.testing.contract.unknown_outcomes import UnknownOutcomes
from steward.testing.contract.versions import Versions

from tests.support.pgbouncer import PgBouncer, needs_pgbouncer

from .conftest import PATIENT, empty
from .lost_commits import lose_next_commit_of


@pytest.fixture(scope="session")
def url_through_pgbouncer(postgres_to_share: str) -> Iterator[str]:
    bouncer = PgBouncer(postgres_to_share, pool_size=20)
    try:
        yield bouncer.url(postgres_to_share)
    finally:
        bouncer.stop()


@needs_pgbouncer
class TestUnitOfWorkThroughPgBouncer(
    Savepoints, Reading, Versions, Failures, UnknownOutcomes, Cancellation, Isolation, Idempotency
):
    @pytest_asyncio.fixture
    async def store(self, url_through_pgbouncer: str) -> AsyncIterator[Database]:
        async with Database(url_through_pgbouncer, pool=replace(PATIENT, pooler="pgbouncer")) as database:
            await empty(database)
            yield database
            assert database.checked_out() == 0, "a connection was left checked out"

    @pytest.mark.promise(1)
    @pytest.mark.promise(2)
    @pytest.mark.parametrize("use_case", USE_CASES)
    async def test_a_unit_cancelled_at_any_await_leaves_nothing_open_and_all_or_nothing_stored(  # type: ignore[override]
        self, store: Database, in_use: Callable[[], int], use_case: UseCase
    ) -> None:
        """In one of the five ways: PgBouncer sees no more of the others than that a connection ends."""
        await super().test_a_unit_cancelled_at_any_await_leaves_nothing_open_and_all_or_nothing_stored(
            store, in_use, use_case, soon, again=False
        )

    @pytest.fixture
    def in_use(self, store: Database) -> Callable[[], int]:
        return store.checked_out

    @pytest.fixture
    def lose_next_commit(self, store: Database, monkeypatch: pytest.MonkeyPatch) -> LoseCommit:
        return lose_next_commit_of(store, monkeypatch)
