"""What authors of unit tests import: the in-memory form, and how to fill it, steer it and make it fail."""

from ..adapters.memory import MemoryDatabase

__all__ = ["MemoryDatabase"]
