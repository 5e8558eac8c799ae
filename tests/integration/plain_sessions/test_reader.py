"""`database.reader`: reads without a transaction, and cannot write."""

import pytest
from sqlalchemy import Executable, insert, select, text
from steward.adapters.database.database import Database
from steward.domain.errors import ReadOnly

from tests.support.notes import Note, add_note, texts


async def test_a_reader_reads(notes: Database) -> None:
    async with notes.session() as session:
        session.add_all([Note(text="one"), Note(text="two")])

    async with notes.reader() as session:
        assert set(await session.scalars(select(Note.text))) == {"one", "two"}
        assert [text async for text in await session.stream_scalars(select(Note.text).order_by(Note.id))] == [
            "one",
            "two",
        ]


@pytest.mark.parametrize(
    "statement",
    [
        insert(Note).values(text="no"),
        text("UPDATE notes SET text = 'no'"),
        text("WITH gone AS (SELECT 1) DELETE FROM notes WHERE 1 IN (SELECT * FROM gone)"),
        text("DROP TABLE notes"),
    ],
    ids=["insert", "text", "with", "ddl"],
)
async def test_a_reader_cannot_write(notes: Database, statement: Executable) -> None:
    async with notes.session() as session:
        await add_note(session, "untouched")

    with pytest.raises(ReadOnly):
        async with notes.reader() as reader:
            await reader.execute(statement)
    with pytest.raises(ReadOnly):
        async with notes.reader() as reader:
            reader.add(Note(text="no"))

    assert await texts(notes) == {"untouched"}
    async with notes.session() as session:  # the connection can write again
        await add_note(session, "after")
    assert await texts(notes) == {"untouched", "after"}
