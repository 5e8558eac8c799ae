"""The express lane of one database: what it keeps beside the engines, and the transactions that begin on it."""

from functools import partial

from ...unit_of_work.transaction import TransactionMode
from ..drivers import sqlite
from ..engines import Engines, PoolSettings
from .direct_reads import DirectReads
from .direct_statements import direct_statements
from .direct_transactions import Direct, PostgresTransactions, SqliteTransactions
from .express_transaction import ExpressTransaction
from .inline_reads import InlineReads


class Lane:
    """`inline` reads small things of a SQLite file on the event loop's thread."""

    def __init__(self, engines: Engines, direct: Direct, inline: InlineReads | None = None) -> None:
        self.direct = direct
        self.inline = inline
        self._engines = engines

    def transaction(self) -> ExpressTransaction:
        """For a unit of work."""
        reads = DirectReads(partial(self._engines.engine, TransactionMode.READING), self.inline)
        return ExpressTransaction(self._engines, self.direct, reads)

    def close(self) -> None:
        if self.inline is not None:
            self.inline.close()


def lane_on(engines: Engines, pool: PoolSettings) -> Lane | None:
    """Return None where every statement has to go through SQLAlchemy.

    That is so through PgBouncer, where a read needs its BEGIN, and on a database in memory, whose one connection is
    switched between reading and writing as a transaction begins.
    """
    if engines.dialect == "postgresql" and pool.pooler == "none":
        (engine,) = engines.pools
        begun = None if pool.isolation == "serializable" else engine
        return Lane(engines, Direct(direct_statements(engine), PostgresTransactions(), begun))
    if engines.file is not None:
        writer, reader = engines.pools
        connect = partial(sqlite.connect, engines.file, read_only=True, busy_timeout=0)
        direct = Direct(direct_statements(reader), SqliteTransactions(engines.file), writer)
        return Lane(engines, direct, InlineReads(engines.file, connect))
    return None
