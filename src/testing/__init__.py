"""What authors of unit tests import: the in-memory backend, and how to fill it, steer it and make it fail.

Here is what needs nothing but Python. `steward.testing.fixtures` holds the pytest fixtures, and
`steward.testing.contract` the suite that every backend of the unit of work is held to.
"""

from ..adapters.memory import MemoryDatabase
from .clock import Clock
from .given import given_item, given_session, given_user
from .hashing import FastHasher

__all__ = ["Clock", "FastHasher", "MemoryDatabase", "given_item", "given_session", "given_user"]
