"""What a statement leaves on its connection beyond the transaction: settings, temporary tables, locks, a role.

The next user of a pooled connection must not meet it. asyncpg's own pool resets a connection whenever it returns, which
is a round trip; here only one that has seen a statement that is not known to leave nothing.
"""

import re
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.util import await_

from .postgres import RESET_TIMEOUT

_LEFT_STATE = "steward_left_state"  # in the `info` of a connection

_BEGINNINGS = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|CREATE|ALTER|DROP|SAVEPOINT|RELEASE|ROLLBACK)\b", re.IGNORECASE
)
_TEMPORARY = re.compile(r"\bTEMP(ORARY)?\b|\bpg_temp|\bpg_settings\b", re.IGNORECASE)
_COMMENT = re.compile(r"--|/\*")  # a call could hide behind one
# A name before a parenthesis that is no table and no alias.
_CALL = re.compile(r'(?<!\bINTO )(?<!\bAS )(?<![.\w"])([\w."]+)\s*\(', re.IGNORECASE)
# Keywords, and functions of ordinary queries. Any other may change a setting (`set_config`, or a function of the user's
# own), or take a lock.
_HARMLESS = frozenset(
    """
    all and any as between by case conflict distinct else except exists filter from in intersect join lateral like
    materialized not on or order over partition returning select set some then union using values when where with within
    abs array array_agg avg cast ceil char char_length coalesce concat count cume_dist date_part date_trunc decimal
    dense_rank extract first_value floor generate_series greatest json_agg jsonb_agg
    lag last_value lead least left length lower ltrim max min mod now ntile nullif numeric percent_rank position power
    random rank regexp_replace replace right round row row_number rtrim split_part sqrt string_agg strpos substr
    substring sum to_char to_json to_jsonb trim unnest upper varchar pg_advisory_xact_lock pg_try_advisory_xact_lock
    """.split()  # noqa: SIM905
)


@lru_cache(maxsize=512)
def _may_leave_state(sql: str, dialect: str) -> bool:
    if not _BEGINNINGS.match(sql) or _TEMPORARY.search(sql):
        return True
    if dialect == "sqlite":  # it has no functions that leave anything
        return False
    return bool(_COMMENT.search(sql)) or any(name.lower() not in _HARMLESS for name in _CALL.findall(sql))


def watch_statement(connection: Connection, sql: str) -> None:
    """Remember that the connection has to be reset, if this statement may leave something on it."""
    if _may_leave_state(sql, connection.dialect.name):
        expect_left_state(connection)


def expect_left_state(connection: Connection) -> None:
    """Have the connection reset when it returns to the pool."""
    connection.info[_LEFT_STATE] = True


def reset_state(connection: Any, entry: ConnectionPoolEntry, state: PoolResetState) -> None:
    """Reset a connection of PostgreSQL: a listener to `reset`. An error drops the connection."""
    driver = connection.driver_connection
    if _LEFT_STATE in entry.info and state.asyncio_safe and isinstance(driver, asyncpg.Connection):
        connection.rollback()
        await_(driver.reset(timeout=RESET_TIMEOUT))
        del entry.info[_LEFT_STATE]


def drop_with_state(connection: Any, entry: ConnectionPoolEntry) -> None:
    """Drop a connection that has not been reset: a listener to `checkin`. To connect to SQLite again is cheap."""
    if entry.info.pop(_LEFT_STATE, False) and connection is not None:
        entry.invalidate()
