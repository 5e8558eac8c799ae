"""The clock port of the application is a function that returns an aware UTC datetime; this is the real one."""

from datetime import UTC, datetime


def system_clock() -> datetime:
    return datetime.now(UTC)
