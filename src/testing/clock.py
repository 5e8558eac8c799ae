"""A clock that stands still until it is told otherwise."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Give it to `MemoryDatabase(clock=…)`, or to whatever else takes a function that returns the time."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.set(start)

    def __call__(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Raises `ValueError` for a time without a zone: nobody could say when that is."""
        if now.tzinfo is None:
            raise ValueError("Give the time a zone, for example datetime(2026, 1, 1, tzinfo=UTC)")
        self._now = now.astimezone(UTC)

    def advance(self, by: timedelta | None = None, /, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """By a timedelta, or by days, hours and seconds; backwards if negative."""
        self._now += (by or timedelta()) + timedelta(days=days, hours=hours, seconds=seconds)
