"""Which writes of SQLite take a bounded time, so that they may run on the thread of the event loop.

A write cannot be given up half way: SQLite rolls the whole transaction back when a statement that writes is interrupted
(https://www.sqlite.org/c3ref/interrupt.html). So its bound has to be known before it begins: it looks up each row by a
whole key, gives little to store, and has no trigger and no cascade behind it (ADR 0032).
"""

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    BooleanClauseList,
    Column,
    ColumnElement,
    Delete,
    Select,
    Table,
    UniqueConstraint,
    Update,
)
from sqlalchemy.sql import operators, visitors

_MOST_VALUES = 64  # each statement has a few of them for each row that it writes
_MOST_STORED = 64 * 1024  # characters of text, and bytes

_SOURCES = re.compile(r"\b(?:SELECT|FROM)\b")

# A virtual table, which has no root page, does what its module does. Without a trigger on it.
_PLAIN_TABLES = """
    SELECT lower(name) FROM sqlite_master WHERE type = 'table' AND rootpage > 0
    EXCEPT SELECT lower(tbl_name) FROM sqlite_master WHERE type = 'trigger'
"""
_REFERENCED_TABLES = """
    SELECT DISTINCT lower(key."table") FROM sqlite_master AS master, pragma_foreign_key_list(master.name) AS key
    WHERE master.type = 'table'
"""


def finds_rows_by_key(statement: Any, sql: str) -> bool:
    """Return True if the statement touches a bounded number of rows, however many its tables have.

    Each SELECT, UPDATE and DELETE in it, also inside another statement, has to compare the whole primary key, or a
    whole unique one, of its only table with values; a SELECT may do without a table.

    Args:
        statement: an INSERT, UPDATE or DELETE.
        sql: the text that it was compiled to.
    """
    parts = [part for part in visitors.iterate(statement) if isinstance(part, Select | Update | Delete)]
    # More of them in the text are those of a `text()`, or of an UPDATE that reads other tables.
    if len(_SOURCES.findall(sql)) > sum(_number_of_sources(part) for part in parts):
        return False
    return all(_is_by_key(part) for part in parts)


def _number_of_sources(part: "Select[Any] | Update | Delete") -> int:
    if isinstance(part, Select):
        return 2 if part.get_final_froms() else 1
    return 1 if isinstance(part, Delete) else 0


def _is_by_key(part: "Select[Any] | Update | Delete") -> bool:
    tables = list(part.get_final_froms()) if isinstance(part, Select) else [part.table]
    if not tables:
        return True
    if len(tables) > 1 or not isinstance(tables[0], Table):
        return False
    compared = _compared_with_values(part.whereclause)
    keys = [tables[0].primary_key, *(key for key in tables[0].constraints if isinstance(key, UniqueConstraint))]
    return any({column.name for column in key.columns} <= compared for key in keys if key.columns)


def _compared_with_values(condition: "ColumnElement[Any] | None") -> set[str]:
    """Return the columns, which are all of one table."""
    is_and = isinstance(condition, BooleanClauseList) and condition.operator is operators.and_
    return {
        each.left.name
        for each in (condition.clauses if is_and else [condition])  # type: ignore[union-attr]
        if isinstance(each, BinaryExpression)
        and each.operator is operators.eq
        and isinstance(each.left, Column)
        and isinstance(each.right, BindParameter)
    }


def is_little(arguments: Sequence[Any]) -> bool:
    """Return True if so few values, of so little text, are written quickly."""
    stored = 0
    for each in arguments:
        if isinstance(each, str | bytes):
            stored += len(each)
    return stored <= _MOST_STORED and len(arguments) <= _MOST_VALUES


class WrittenTables:
    """What a file's schema says of a write: which tables have triggers, and which ones others refer to."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._plain: frozenset[str] = frozenset()
        self._referenced: frozenset[str] = frozenset()

    def look_up(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction that writes: until its end no other connection changes the schema."""
        ((version,),) = connection.execute("PRAGMA schema_version").fetchall()
        if version != self._version:
            self._plain = _names(connection, _PLAIN_TABLES)
            self._referenced = _names(connection, _REFERENCED_TABLES)
            self._version = version

    def are_alone(self, table: str, *, deletes: bool) -> bool:
        """Return True if no trigger runs behind a write to the table, and, if it deletes, no cascade and no search for
        rows that refer to it."""
        return table in self._plain and not (deletes and table in self._referenced)


def _names(connection: sqlite3.Connection, sql: str) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute(sql).fetchall())
