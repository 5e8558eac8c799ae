"""Very many rows at once, written by the database itself."""

from sqlalchemy import text
from steward.adapters.database.database import Database

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)",
    "postgresql": "WITH numbers (n) AS (SELECT generate_series(1, CAST(:rows AS integer)))",
}
_TIME = {  # one of 60, by `seconds`
    "sqlite": "'2026-01-01 00:00:' || printf('%09.6f', seconds)",
    "postgresql": "timestamptz '2026-01-01 00:00:00Z' + seconds * interval '1 second'",
}


async def fill_users(database: Database, rows: int) -> None:
    """Named `user1` and so on."""
    await _insert(
        database,
        "users (username, username_key, email, email_key, role, is_active, created_at, updated_at, version)",
        "'user' || n, 'user' || n, n || '@example.org', n || '@example.org', 'member', true, TIME, TIME, 1",
        "n % 60",
        rows,
    )


async def fill_items(database: Database, rows: int, *, owners: int) -> None:
    """Of the users 1 to `owners` in turn. There are many names, and every other quantity is 1."""
    await _insert(
        database,
        "items (owner_id, name, quantity, attributes, created_at, updated_at, version, search_text)",
        f"1 + n % {owners}, 'Box ' || (n % 99991 * 7919 % 99991),"
        f" CASE n / {owners} % 2 WHEN 0 THEN 1 ELSE n % 1000 END, '{{}}', TIME, TIME, 1, 'box'",
        f"n / {owners} % 60",
        rows,
    )


async def _insert(database: Database, into: str, values: str, seconds: str, rows: int) -> None:
    time = _TIME[database.dialect].replace("seconds", f"({seconds})", 1)
    values = values.replace("TIME", time)
    numbers = _NUMBERS[database.dialect]
    async with database.session() as session:
        await session.execute(text(f"INSERT INTO {into} {numbers} SELECT {values} FROM numbers"), {"rows": rows})
    if database.dialect == "postgresql":
        async with database.session() as session:
            await session.execute(text("ANALYZE"))
