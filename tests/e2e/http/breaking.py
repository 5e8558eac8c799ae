"""A PostgreSQL that fails on purpose, with the SQLSTATE that a test wants."""

from tests.support.postgres import execute

# What a database, told to fail, makes of a request.
OF_ANY_STATEMENT = {
    "53300": "overloaded",
    "57P03": "database_unavailable",
    "57014": "deadline_exceeded",
    "42P01": "schema_out_of_date",
    "P0001": "internal_error",
}
OF_WRITING = {"40001": "conflict", "53100": "storage_full"}

TABLES = ("users", "items", "sessions", "tokens")
# The check of a token reads a user, too.
_READ_BY_ALL = ("users", "items")

_FAIL = """
    CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'broken on purpose: SELECT 1' USING ERRCODE = '{state}'; END $$;
    CREATE FUNCTION fail_writing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM fail(); END $$;
"""
# Whoever reads a row of the view, or writes one through it, fails.
_AT_ONCE = """
    ALTER TABLE {table} RENAME TO kept_{table};
    CREATE VIEW {table} AS SELECT * FROM kept_{table} WHERE fail();
    CREATE TRIGGER fail BEFORE INSERT OR UPDATE OR DELETE ON kept_{table} EXECUTE FUNCTION fail_writing();
"""
_AT_WRITES = "CREATE TRIGGER fail BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION fail_writing();"
_AT_COMMIT = """
    CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fail_writing();
"""
_MEND_FUNCTIONS = "DROP FUNCTION fail_writing; DROP FUNCTION fail;"


async def break_statements(url: str, state: str) -> None:
    await execute(url, _FAIL.format(state=state), *(_AT_ONCE.format(table=table) for table in _READ_BY_ALL))


async def mend_statements(url: str) -> None:
    for table in _READ_BY_ALL:
        await execute(
            url, f"DROP VIEW {table}; ALTER TABLE kept_{table} RENAME TO {table}; DROP TRIGGER fail ON {table}"
        )
    await execute(url, _MEND_FUNCTIONS)


async def break_writes(url: str, state: str) -> None:
    """Whoever asks is recognised: only then does it fail."""
    await execute(url, _FAIL.format(state=state), *(_AT_WRITES.format(table=table) for table in TABLES))


async def break_commits(url: str, state: str) -> None:
    await execute(url, _FAIL.format(state=state), *(_AT_COMMIT.format(table=table) for table in TABLES))


async def mend_writes(url: str) -> None:
    """Commits, too."""
    await execute(url, *(f"DROP TRIGGER fail ON {table}" for table in TABLES), _MEND_FUNCTIONS)
