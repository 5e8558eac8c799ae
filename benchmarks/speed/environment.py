"""What the two servers that Steward is compared with are told by their environment."""

import os

DATABASE_URL = "BENCH_DATABASE_URL"
POOL_SIZE = "BENCH_POOL_SIZE"
# Of each connection to SQLite: as durable as Steward's, and as patient as it takes for all writes to succeed.
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000")


def database_url() -> str:
    """As SQLAlchemy writes it."""
    return os.environ[DATABASE_URL]


def pool_size() -> int:
    return int(os.environ[POOL_SIZE])
