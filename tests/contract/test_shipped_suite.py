"""Somebody else holds an adapter of their own to the suite, in a project of their own."""

import subprocess
import sys
from pathlib import Path

import pytest
from steward.domain.repositories import (
    AttemptRepository,
    IdempotencyKeyRepository,
    ItemRepository,
    LoginSessionRepository,
    UserRepository,
)
from steward.testing.contract import UnitOfWorkContract
from steward.testing.contract.steps import READS, WRITES
from steward.testing.promises import TITLES

from .their_pytest import their_pytest

CONFTEST = """
pytest_plugins = ["steward.testing.fixtures"]
"""

THEIR_TESTS = """
import pytest
from steward.testing import Clock, FastHasher, MemoryDatabase
from steward.testing.contract import UnitOfWorkContract
from their_adapter import TheirDatabase

class TestTheirs(UnitOfWorkContract):
    @pytest.fixture
    def store(self):
        return TheirDatabase()

    @pytest.fixture
    def in_use(self, store):
        return lambda: store.open_units

    @pytest.fixture
    def lose_next_commit(self, store):
        from steward.domain.errors import OutcomeUnknown
        return lambda *, stored: store.fail_next_commit(OutcomeUnknown, stored=stored)

def test_the_fixtures_are_there(memory_database, clock, hasher):
    assert isinstance(memory_database, MemoryDatabase)
    assert memory_database.clock is clock
    assert isinstance(clock, Clock)
    assert isinstance(hasher, FastHasher)
"""

SOUND = """
from steward.adapters.memory import MemoryDatabase as TheirDatabase
"""

FORGETS_TO_ROLL_BACK = """
from steward.adapters.memory import MemoryDatabase

class TheirDatabase(MemoryDatabase):
    def unit_of_work(self):
        uow = super().unit_of_work()
        transaction = uow._transaction
        end = transaction.end

        async def commit_instead():
            if transaction._working is not None:
                self.committed = transaction._working
            await end()

        transaction.end = commit_instead
        transaction.end_at_once = lambda: False
        return uow
"""


def run_their_tests(directory: Path, adapter: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_theirs.py").write_text(THEIR_TESTS)
    (directory / "their_adapter.py").write_text(adapter)
    return their_pytest(directory, *options)


def test_a_sound_adapter_passes_in_the_strict_mode_of_pytest_asyncio(tmp_path: Path) -> None:
    function_loops = ("-o", "asyncio_default_fixture_loop_scope=function")
    done = run_their_tests(tmp_path, SOUND, "--promises", "--strict-markers", "-W", "error", *function_loops)
    assert done.returncode == 0, done.stdout
    assert "10. An unknown outcome is named" in done.stdout
    assert "TestTheirs" in done.stdout
    assert "skipped" not in done.stdout


def test_an_adapter_that_forgets_to_roll_back_fails(tmp_path: Path) -> None:
    done = run_their_tests(tmp_path, FORGETS_TO_ROLL_BACK, "-k", "leaves_no_trace")
    assert done.returncode == 1, done.stdout
    assert "test_a_block_left_without_commit_leaves_no_trace" in done.stdout
    assert "assert {'ada'} == set()" in done.stdout, "failing assertions say what they saw"


def test_the_suite_knows_every_method_of_the_repositories() -> None:
    known = {call.partition(" for ")[0] for call in READS | WRITES}
    promised = {
        f"{subject}.{name}"
        for subject, port in (
            ("users", UserRepository),
            ("items", ItemRepository),
            ("login_sessions", LoginSessionRepository),
            ("attempts", AttemptRepository),
            ("idempotency_keys", IdempotencyKeyRepository),
        )
        for name in vars(port)
        if not name.startswith("_")
    }
    assert known == promised


def test_the_suite_has_tests_for_each_of_the_ten_promises() -> None:
    held = {
        mark.args[0]
        for name in dir(UnitOfWorkContract)
        if name.startswith("test_")
        for mark in getattr(getattr(UnitOfWorkContract, name), "pytestmark", [])
        if mark.name == "promise"
    }
    assert held == set(TITLES) == set(range(1, 11))


def test_without_a_store_the_suite_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "from steward.testing.contract import UnitOfWorkContract\nclass TestTheirs(UnitOfWorkContract): pass\n"
    )
    done = their_pytest(tmp_path, "-x")
    assert done.returncode == 1
    assert "fixture 'store' not found" in done.stdout


@pytest.mark.parametrize("module", ["steward.testing.fixtures", "steward.testing.promises"])
def test_the_plugins_import_on_their_own(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
