"""What a piece of work costs a database: the statements that it sends, and the round trips that they take."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Executable, PoolProxiedConnection, event
from steward.adapters.database.database import Database
from steward.adapters.database.express.direct_statements import DirectStatement, DirectStatements
from steward.adapters.database.express.direct_transactions import DirectTransactions
from steward.service_layer.unit_of_work import UnitOfWork

_FRAME = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")
_BEGUN = "counted_begin"


@dataclass(slots=True)
class Cost:
    """`sent` is everything in order, BEGIN, COMMIT, ROLLBACK and savepoints included: each is one round trip.

    asyncpg's preparing a statement, one more round trip for each statement and connection once, is left out.
    """

    sent: list[str] = field(default_factory=list)

    @property
    def round_trips(self) -> int:
        return len(self.sent)

    @property
    def statements(self) -> list[str]:
        """Without those that begin and end transactions."""
        return [sql for sql in self.sent if not sql.startswith(_FRAME)]

    @property
    def shape(self) -> list[str]:
        """The first word of each: `["BEGIN", "INSERT", "COMMIT"]`."""
        return [sql.split(maxsplit=1)[0] for sql in self.sent]


@contextmanager
def counted(database: Database) -> Iterator[Cost]:
    """Count what is sent inside the block, on all of the database's connections.

    SQLAlchemy tells of the begin and the end of what it calls a transaction, whether or not a round trip is made for
    it: a connection in autocommit makes none, and on SQLite BEGIN is a statement of ours.
    """
    cost = Cost()

    def executed(_connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        cost.sent.append(sql)

    def begun(connection: Connection) -> None:
        if database.dialect == "postgresql" and _in_transaction(connection) and not connection.info.pop(_BEGUN, False):
            cost.sent.append("BEGIN")

    def committed(connection: Connection) -> None:
        if _in_transaction(connection):
            cost.sent.append("COMMIT")

    def rolled_back(connection: Connection) -> None:
        if _in_transaction(connection):
            cost.sent.append("ROLLBACK")

    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": executed,
        "begin": begun,
        "commit": committed,
        "rollback": rolled_back,
    }
    engines = [engine.sync_engine for engine in database.engines.pools]
    for engine in engines:
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
    lane: Any = database.lane
    direct = None if lane is None else lane.direct
    if lane is not None:
        lane.direct = replace(
            lane.direct,
            statements=_recorded(lane.direct.statements, cost),
            transactions=_RecordedTransactions(lane.direct.transactions, cost, database.dialect),
        )
    try:
        yield cost
    finally:
        if lane is not None and direct is not None:
            lane.direct = direct
        for engine in engines:
            for name, listener in listeners.items():
                event.remove(engine, name, listener)


def _recorded(direct_statements: DirectStatements, cost: Cost) -> DirectStatements:
    """What units of work that are made from now on send past SQLAlchemy."""

    def look_up(statement: Executable) -> DirectStatement:
        return _RecordedStatement(direct_statements(statement), cost)  # type: ignore[return-value]

    return look_up


class _RecordedStatement:
    """One that goes past SQLAlchemy only if it takes the parameters."""

    def __init__(self, statement: DirectStatement, cost: Cost) -> None:
        self._statement = statement
        self._cost = cost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._statement, name)

    def takes(self, parameters: Mapping[str, Any]) -> bool:
        if self._statement.takes(parameters):
            self._cost.sent.append(self._statement.sql)
            return True
        return False


class _RecordedTransactions:
    """Those that begin past SQLAlchemy. It is told of the begin when it takes one over."""

    def __init__(self, transactions: DirectTransactions, cost: Cost, dialect: str) -> None:
        self._transactions = transactions
        self._cost = cost
        self._begin = "BEGIN IMMEDIATE" if dialect == "sqlite" else "BEGIN"
        self.is_begun = transactions.is_begun
        self.fetch = transactions.fetch

    def begin(self, pooled: PoolProxiedConnection) -> bool:
        has_begun = self._transactions.begin(pooled)
        if has_begun:
            self._cost.sent.append(self._begin)
            pooled.info[_BEGUN] = True
        return has_begun

    async def commit(self, pooled: PoolProxiedConnection) -> None:
        pooled.info.pop(_BEGUN, None)
        self._cost.sent.append("COMMIT")
        await self._transactions.commit(pooled)


async def cost_of(database: Database, work: Callable[[UnitOfWork], Awaitable[object]]) -> Cost:
    with counted(database) as cost:
        await work(database.unit_of_work())
    # A database in memory has one connection for reads and writes, and switches it with a pragma: no round trip.
    cost.sent[:] = [sql for sql in cost.sent if not sql.startswith("PRAGMA query_only")]
    return cost


def _in_transaction(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return bool(driver.in_transaction)
    return connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"
