"""The rows of our tables as both databases store them, in one form: that of the driver asyncpg.

JSON stays the text that it is, so that neither the order of its members nor the digits of its numbers change.
"""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, LargeBinary, String, Table
from sqlalchemy.types import TypeEngine

from ....domain.errors import StorageError
from ..column_types import UtcDateTime

Row = tuple[Any, ...]

_AT_ONCE = 1_000  # rows in memory


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows, and the digest (BLAKE2b, 128 bits, hexadecimal) of all of them in the order of their keys."""

    rows: int
    digest: str


class Summing:
    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, rows: list[Row]) -> None:
        self.rows += len(rows)
        # Of None, booleans, integers, texts, bytes and times in UTC: equal ones look equal, and no others.
        for row in rows:
            self._digest.update(repr(row).encode())

    def sum(self) -> Sum:
        return Sum(self.rows, self._digest.hexdigest())


class StoredTable:
    """Raises `TypeError` for a column of a type that has no form here yet."""

    def __init__(self, table: Table) -> None:
        self.name = table.name
        self.columns = [column.name for column in table.columns]
        (key,) = table.primary_key.columns
        self.key = key.name
        self._key_at = self.columns.index(key.name)
        self.identity = next((column.name for column in table.columns if column.identity is not None), None)
        self._forms = [_form_of(column) for column in table.columns]
        self._select = f"SELECT {', '.join(map(_quoted, self.columns))} FROM {_quoted(self.name)}"  # noqa: S608 - our own names
        self._order = f"ORDER BY {_quoted(self.key)}"

    def count_in_sqlite(self, source: sqlite3.Connection) -> int:
        return int(source.execute(f"SELECT count(*) FROM {_quoted(self.name)}").fetchone()[0])  # noqa: S608

    def highest_id_in_sqlite(self, source: sqlite3.Connection) -> int:
        """That was ever given, to rows that have been deleted too; 0 if none was."""
        given = source.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = ?", (self.name,)).fetchone()[0]
        there = source.execute(f"SELECT max({_quoted(self.key)}) FROM {_quoted(self.name)}").fetchone()[0]  # noqa: S608
        return max(int(given or 0), int(there or 0))

    def pieces_in_sqlite(self, source: sqlite3.Connection) -> Iterator[list[Row]]:
        """`source` gives texts as bytes. Raises `StorageError` for a value that PostgreSQL cannot hold."""
        with closing(source.execute(f"{self._select} {self._order}")) as cursor:
            while rows := cursor.fetchmany(_AT_ONCE):
                yield [self._read(row) for row in rows]

    async def pieces_in_postgres(self, target: asyncpg.Connection) -> AsyncIterator[list[Row]]:
        # Not by a cursor, which a pooler between two transactions would have to know of.
        rows = await target.fetch(f"{self._select} {self._order} LIMIT {_AT_ONCE}")
        while rows:
            piece = [tuple(row) for row in rows]
            yield piece
            after = f"{self._select} WHERE {_quoted(self.key)} > $1 {self._order} LIMIT {_AT_ONCE}"
            rows = await target.fetch(after, piece[-1][self._key_at])

    def row_at(self, source: sqlite3.Connection, number: int) -> str:
        """What to call the row that came as the first, or a later one."""
        (key,) = source.execute(
            f"SELECT {_quoted(self.key)} FROM {_quoted(self.name)} {self._order} LIMIT 1 OFFSET ?",  # noqa: S608
            (number - 1,),
        ).fetchone()
        return self._called(key)

    def _called(self, key: object) -> str:
        return f"{self.name}: the row with the {self.key} {key.hex() if isinstance(key, bytes) else key}"

    def _read(self, row: Row) -> Row:
        try:
            return tuple(None if value is None else form(value) for form, value in zip(self._forms, row, strict=True))
        except ValueError:
            raise StorageError(self._fault(row)) from None

    def _fault(self, row: Row) -> str:
        where = self._called(row[self._key_at])
        for name, form, value in zip(self.columns, self._forms, row, strict=True):
            try:
                if value is not None:
                    form(value)
            except ValueError as error:
                return f"{where} has a {name} that PostgreSQL cannot hold: {error}"
        raise AssertionError(where)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _form_of(column: Column[Any]) -> Callable[[Any], Any]:
    for kind, form in _FORMS:
        if isinstance(column.type, kind):
            return form
    raise TypeError(f"{column}: how {column.type!r} is stored in SQLite has to be said here")


def _integer(stored: object) -> int:
    if not isinstance(stored, int):
        raise ValueError("it is not a whole number")
    return stored


def _short_integer(stored: object) -> int:
    number = _integer(stored)
    if not -(2**31) <= number < 2**31:  # SQLite's are as long as they need to be
        raise ValueError("it is beyond 32 bits")
    return number


def _boolean(stored: object) -> bool:
    if stored not in (0, 1):
        raise ValueError("it is neither 0 nor 1")
    return bool(stored)


def _bytes(stored: object) -> bytes:
    if not isinstance(stored, bytes):
        raise ValueError("it is not bytes")
    return stored


def _text(stored: object) -> str:
    try:
        text = _bytes(stored).decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if "\0" in text:
        raise ValueError("there is a NUL in it")
    return text


def _time(stored: object) -> datetime:
    time = datetime.fromisoformat(_text(stored))
    if time.tzinfo is not None:
        raise ValueError("it is not a time in UTC as Steward writes it")
    return time.replace(tzinfo=UTC)


_FORMS: list[tuple[type[TypeEngine[Any]], Callable[[Any], Any]]] = [
    (UtcDateTime, _time),
    (Boolean, _boolean),
    (BigInteger, _integer),
    (Integer, _short_integer),
    (String, _text),
    (LargeBinary, _bytes),
    (JSON, _text),
]
