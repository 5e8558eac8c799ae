"""Let the connection break during COMMIT, at the driver: all that is above it is the real thing."""

import sqlite3
from collections.abc import Callable
from typing import Any

import asyncpg
import asyncpg.transaction
import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.drivers.sqlite import CancellationSafeConnection
from steward.adapters.memory import MemoryDatabase
from steward.domain.errors import OutcomeUnknown
from steward.testing.contract.setting import LoseCommit


def lose_next_commit_of(store: MemoryDatabase | Database, monkeypatch: pytest.MonkeyPatch) -> LoseCommit:
    if isinstance(store, MemoryDatabase):
        return lambda *, stored: store.fail_next_commit(OutcomeUnknown, stored=stored)
    if store.dialect == "sqlite":
        return lambda *, stored: _break_next(monkeypatch, CancellationSafeConnection, _disk_error, stored=stored)
    return lambda *, stored: _break_next(monkeypatch, asyncpg.transaction.Transaction, _connection_lost, stored=stored)


def _break_next(
    monkeypatch: pytest.MonkeyPatch, driver: type[Any], error: Callable[[], Exception], *, stored: bool
) -> None:
    commit = driver.commit

    async def broken(self: Any) -> None:
        monkeypatch.setattr(driver, "commit", commit)
        if stored:
            await commit(self)
        raise error()

    monkeypatch.setattr(driver, "commit", broken)


def _disk_error() -> Exception:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
    return error


def _connection_lost() -> Exception:
    lost: Exception = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    return lost
