"""pytest fixtures for unit tests: `pytest_plugins = ["steward.testing.fixtures"]` in the topmost conftest.py.

The contract suite's marker and the option `--promises` come along.
"""

import pytest

from ..adapters.memory import MemoryDatabase
from .clock import Clock
from .hashing import FastHasher
from .promises import pytest_addoption, pytest_configure

__all__ = ["clock", "hasher", "memory_database", "pytest_addoption", "pytest_configure"]


@pytest.fixture
def clock() -> Clock:
    """Stands still until the test moves it."""
    return Clock()


@pytest.fixture
def memory_database(clock: Clock) -> MemoryDatabase:
    """Empty, of this test alone, and on the fixture `clock`."""
    return MemoryDatabase(clock=clock)


@pytest.fixture
def hasher() -> FastHasher:
    return FastHasher()
