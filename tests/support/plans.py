"""How a database carries out the statements that a piece of work sends."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event
from steward.adapters.database.database import Database
from steward.service_layer.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Plan:
    """`scans` are the tables and indexes that are read, with their conditions, `sorts` what is put in order then."""

    scans: list[str]
    sorts: list[str]


async def plan_of(database: Database, read: Callable[[UnitOfWork], Awaitable[object]]) -> Plan:
    """Of the one statement that `read` sends, with the parameters that it sends."""
    with _sent(database) as statements:
        async with database.unit_of_work().reading() as uow:
            await read(uow)
    [(sql, parameters)] = statements
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN (FORMAT JSON) "
    async with database.engines.pools[0].connect() as connection:
        rows: Any = (await connection.exec_driver_sql(explain + sql, parameters)).all()
    return _of_sqlite([row[3] for row in rows]) if database.dialect == "sqlite" else _of_postgres(rows[0][0])


@contextmanager
def _sent(database: Database) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def executed(_connection: Connection, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        if sql.startswith("SELECT"):
            statements.append((sql, parameters))

    engines = [engine.sync_engine for engine in database.engines.pools]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", executed)
    lane, database.lane = database.lane, None  # the same SQL by another way
    try:
        yield statements
    finally:
        database.lane = lane
        for engine in engines:
            event.remove(engine, "before_cursor_execute", executed)


def _of_sqlite(steps: list[str]) -> Plan:
    return Plan(
        [step for step in steps if step.startswith(("SEARCH", "SCAN"))],
        [step for step in steps if "ORDER BY" in step],
    )


def _of_postgres(answer: Any) -> Plan:
    plan = Plan([], [])
    waiting = [(json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        kind = node["Node Type"]
        if "Scan" in kind:
            plan.scans.append(f"{kind} {node.get('Index Name', '')} {node.get('Index Cond', '')}")
        if "Sort" in kind:
            plan.sorts.append(f"{kind} {node['Sort Key']}")
    return plan
