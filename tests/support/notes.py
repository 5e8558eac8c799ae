"""Tables of the tests' own, as users of `Database` would declare theirs."""

from sqlalchemy import ForeignKey, String, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from steward.adapters.database.database import Database

# Takes about a tenth of a second.
SLOW = {
    "postgresql": text("SELECT pg_sleep(0.1)"),
    "sqlite": text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT count(*) FROM n"
    ),
}
# Takes longer than anyone waits.
ENDLESS = {
    "postgresql": text("SELECT pg_sleep(600)"),
    "sqlite": text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"),
}


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(100), unique=True)


class Reply(Base):
    """A reply to a note that does not exist fails at COMMIT, not before."""

    __tablename__ = "replies"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", deferrable=True, initially="DEFERRED"))


async def create_tables(database: Database) -> None:
    async with database.session() as session:
        connection = await session.connection()
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)


async def texts(database: Database) -> set[str]:
    """What is committed."""
    async with database.reader() as session:
        return set(await session.scalars(select(Note.text)))


async def add_note(session: AsyncSession, text: str) -> Note:
    note = Note(text=text)
    session.add(note)
    await session.flush()
    return note
