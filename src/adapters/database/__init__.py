"""SQLite through aiosqlite and PostgreSQL through asyncpg, both by SQLAlchemy."""
