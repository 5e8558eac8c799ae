"""The in-memory backend: a real adapter, shipped for other people's unit tests. It needs nothing but Python.

It imports `domain`, `service_layer`, `adapters.unit_of_work`, the clock and `purge`. `steward.testing` imports it, and
so may any test.
"""

from .database import MemoryDatabase
from .unit_of_work import MemoryUnitOfWork

__all__ = ["MemoryDatabase", "MemoryUnitOfWork"]
