"""The SQLAlchemy backend: SQLite through aiosqlite and PostgreSQL through asyncpg.

`database.py` is the entry point: a `Database` makes units of work (`unit_of_work.py`, `session_transaction.py`) and
plain sessions (`plain_session.py`, `session_block.py`) on its engines (`engines.py`). Each module imports only what
stands below it:

    operations/     what an operator does with a database: schema, backup, copy, durability check
    database        the object that applications hold
    unit_of_work    the unit of work on it
    repositories/   the queries of each aggregate
    session_transaction, session
                    the session that owns the transaction of one outermost block
    engines         the engines and pools of one database, one engine for each way to use it
    express/        the shortcut past SQLAlchemy for hot statements, optional: see `express_lane.py`
    drivers/        what is odd about asyncpg and aiosqlite
    tables, column_types, error_translation, admission, …

It imports `domain`, `service_layer`, `adapters.unit_of_work`, the clock and `purge`. The migrations, `bootstrap`, the
settings, the command line and `steward.open` import it.
"""
