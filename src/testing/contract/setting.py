"""What the author of an adapter tells the suite about it."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from ...service_layer import retry


class LoseCommit(Protocol):
    def __call__(self, *, stored: bool) -> None:
        """Let the connection break at the next COMMIT, after it was carried out or before."""
        ...


class Setting:
    """Beside these a fixture `store` is needed: empty, of the test alone, with a method `unit_of_work()`.

    Where an override takes the store it is `Any` here, because it asks the author's own class.
    """

    @pytest.fixture(autouse=True)
    def _unhurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A busy machine is no reason for `run` to give up."""
        monkeypatch.setattr(retry, "LONGEST_TIME", 3600.0)

    @pytest.fixture
    def in_use(self, store: Any) -> Callable[[], int]:
        """Override it: how many connections of the store are in use, so that leaks are noticed."""
        return lambda: 0

    @pytest.fixture
    def readers_wait(self) -> bool:
        """Override it if the store has a single connection, so that readers and writers wait for each other."""
        return False

    @pytest.fixture
    def serializable(self) -> bool:
        """Override it if units that write are serializable, so that whoever comes second gets a `Conflict` where
        others would only wait."""
        return False

    @pytest.fixture
    def readers_beside_the_writer(self, readers_wait: bool) -> None:
        if readers_wait:
            pytest.skip("the store has a single connection: nobody reads beside a writer")

    @pytest.fixture
    def lose_next_commit(self, store: Any) -> LoseCommit:
        """Override it, unless the store has `fail_next_commit` as `MemoryDatabase` has."""
        return pytest.fail("Override the fixture `lose_next_commit`", pytrace=False)
