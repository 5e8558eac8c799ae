"""Counting attempts, so that nobody can make too many of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

# HMAC-SHA-256 of what is limited and for whom: the database holds neither names nor addresses of those who only tried.
CounterKey = NewType("CounterKey", bytes)


@dataclass(frozen=True, slots=True)
class Limit:
    """`quota` attempts in each window, which begins with the first of them."""

    name: str
    quota: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Counter:
    """How many attempts were made in the window that ends at `resets_at`."""

    key: CounterKey
    count: int
    resets_at: datetime
