"""Column types that behave alike on every database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes with microseconds. SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return _in_utc(value)

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any] | None:
        # asyncpg takes them as they are; `TypeDecorator` would call two functions for each.
        return _in_utc if dialect.name == "postgresql" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[..., Any] | None:
        # A list has hundreds of them.
        if dialect.name == "postgresql":
            return None  # asyncpg's are aware, and in UTC
        if dialect.name == "sqlite":
            return _from_text
        return super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("A datetime without a zone says nothing about when: give it one")
    return value.astimezone(UTC)


def _from_text(value: str | None) -> datetime | None:
    """As SQLAlchemy writes them into SQLite: `2026-11-22 12:00:00.000000`."""
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")
