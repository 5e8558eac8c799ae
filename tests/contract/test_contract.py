"""Every backend of the unit of work is held to the suite that we ship."""

import os
from collections.abc import Callable

import pytest
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.testing.contract import UnitOfWorkContract
from steward.testing.contract.setting import LoseCommit

from .lost_commits import lose_next_commit_of


class TestUnitOfWork(UnitOfWorkContract):
    @pytest.fixture
    def in_use(self, store: MemoryDatabase | Database) -> Callable[[], int]:
        if isinstance(store, MemoryDatabase):
            return lambda: store.open_units
        return store.checked_out

    @pytest.fixture
    def readers_wait(self, backend: str) -> bool:
        return backend == "sqlite-memory"

    @pytest.fixture
    def serializable(self, backend: str) -> bool:
        return backend == "postgres" and os.environ.get("STEWARD_TEST_ISOLATION") == "serializable"

    @pytest.fixture
    def lose_next_commit(self, store: MemoryDatabase | Database, monkeypatch: pytest.MonkeyPatch) -> LoseCommit:
        return lose_next_commit_of(store, monkeypatch)
