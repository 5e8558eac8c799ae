"""The express lane of one database: what it keeps beside the engines, and the transactions that begin on it."""

import logging
from functools import partial
from typing import ClassVar, Self

from sqlalchemy.pool import AsyncAdaptedQueuePool

from ...unit_of_work.transaction import TransactionMode
from ..drivers import sqlite
from ..engines import Engines, PoolSettings
from ..express_lane import register
from .direct_reads import DirectReads
from .direct_statements import direct_statements
from .direct_transactions import Direct, PostgresTransactions, SqliteTransactions
from .express_transaction import ExpressTransaction
from .inline_reads import InlineReads
from .private_names import missing_names
from .statement_log import StatementLog
from .warm_pool import WarmPool

log = logging.getLogger("steward.database")


class Lane:
    """`inline` reads small things of a SQLite file on the event loop's thread."""

    pool_class: ClassVar[type[AsyncAdaptedQueuePool]] = WarmPool

    def __init__(self, engines: Engines, direct: Direct, inline: InlineReads | None = None) -> None:
        self.direct = direct
        self.inline = inline
        self._engines = engines

    @classmethod
    def is_usable(cls) -> bool:
        missing = ", ".join(map(str, missing_names()))
        if missing:
            log.warning(
                "The express lane is off: these names are not as it expects them (%s). All else works as it is meant"
                " to; each request takes more CPU time",
                missing,
            )
        return not missing

    @classmethod
    def on(cls, engines: Engines, pool: PoolSettings) -> Self | None:
        """Return None where every statement has to go through SQLAlchemy.

        That is so through PgBouncer, where a read needs its BEGIN, and on a database in memory, whose one connection is
        switched between reading and writing as a transaction begins.
        """
        statement_log = StatementLog(engines.pools[0].sync_engine)
        if engines.dialect == "postgresql" and pool.pooler == "none":
            (engine,) = engines.pools
            begun = None if pool.isolation == "serializable" else engine
            return cls(engines, Direct(direct_statements(engine), PostgresTransactions(), begun, statement_log))
        if engines.file is not None:
            writer, reader = engines.pools
            connect = partial(sqlite.connect, engines.file, read_only=True, busy_timeout=0)
            direct = Direct(direct_statements(reader), SqliteTransactions(engines.file), writer, statement_log)
            return cls(engines, direct, InlineReads(engines.file, connect))
        return None

    def transaction(self) -> ExpressTransaction:
        """For a unit of work."""
        reads = DirectReads(partial(self._engines.engine, TransactionMode.READING), self.inline)
        return ExpressTransaction(self._engines, self.direct, reads)

    def close(self) -> None:
        if self.inline is not None:
            self.inline.close()


register(Lane)
