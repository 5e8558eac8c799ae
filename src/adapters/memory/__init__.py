"""The in-memory form: a real adapter, shipped for other people's unit tests. It needs nothing but Python."""

from .database import MemoryDatabase
from .unit_of_work import MemoryUnitOfWork

__all__ = ["MemoryDatabase", "MemoryUnitOfWork"]
