"""`database.session` in `async with`: commit on success, rollback on any error, always closed (T1.5, T2.5, T7.1)."""

import asyncio
import contextvars

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, MissingGreenlet
from steward.adapters.database.database import Database
from steward.domain.errors import AlreadyInTransaction, NotInTransaction, OutcomeUnknown, ReadOnly, TransactionAborted

from tests.support.notes import Note, Reply, add_note, texts


async def test_what_the_block_added_is_committed_when_it_ends(notes: Database) -> None:
    """T1.5"""
    async with notes.session() as session:
        session.add(Note(text="kept"))

    assert await texts(notes) == {"kept"}
    assert notes.checked_out() == 0


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        StopAsyncIteration("mine"),
        StopIteration("mine"),
        asyncio.CancelledError("mine"),
        GeneratorExit("mine"),
        KeyboardInterrupt("mine"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_rolls_back_and_arrives_unchanged(notes: Database, error: BaseException) -> None:
    """T1.5"""
    with pytest.raises(type(error)) as raised:
        async with notes.session() as session:
            await add_note(session, "lost")
            raise error

    assert raised.value is error
    assert await texts(notes) == set()
    assert notes.checked_out() == 0


async def test_a_block_may_commit_and_refresh(notes: Database) -> None:
    async with notes.session() as session:
        note = Note(text="kept")
        session.add(note)
        await session.commit()
        assert await texts_seen_from_outside(notes) == {"kept"}
        await session.refresh(note)
        assert note.id

    assert note.text == "kept"  # still readable without the database


async def test_what_follows_an_explicit_commit_is_a_transaction_of_its_own(notes: Database) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with notes.session() as session:
            await add_note(session, "kept")
            await session.commit()
            await add_note(session, "lost")
            raise ValueError("mine")

    assert await texts(notes) == {"kept"}


async def test_a_block_may_roll_back_and_go_on(notes: Database) -> None:
    async with notes.session() as session:
        await add_note(session, "lost")
        await session.rollback()
        await add_note(session, "kept")

    assert await texts(notes) == {"kept"}


async def test_a_block_may_close_its_session_after_its_commit(notes: Database) -> None:
    async with notes.session() as session:
        await add_note(session, "kept")
        await session.commit()
        await session.close()

    assert await texts(notes) == {"kept"}


@pytest.mark.parametrize("how", ["rollback", "close", "reset"])
async def test_work_that_is_given_up_by_hand_is_not_stored_and_is_no_error(notes: Database, how: str) -> None:
    async with notes.session() as session:
        await add_note(session, "given up")
        await getattr(session, how)()

    assert await texts(notes) == set()


async def test_async_with_the_session_itself_is_refused_before_it_loses_work(notes: Database) -> None:
    with pytest.raises(TransactionAborted, match=r"await session.commit\(\)"):
        async with notes.session() as session, session:
            session.add(Note(text="lost"))
    async with notes.session() as session, session:
        await add_note(session, "kept")
        await session.commit()
    async with notes.session() as session, session:
        assert await session.scalar(select(Note.text)) == "kept"

    assert await texts(notes) == {"kept"}


async def test_pending_rows_are_seen_by_queries_after_a_flush(notes: Database) -> None:
    """As both pages of the origin have it: no query sends what was not asked for."""
    async with notes.session() as session:
        session.add(Note(text="pending"))
        assert (await session.scalars(select(Note.text))).all() == []
        await session.flush()
        assert (await session.scalars(select(Note.text))).all() == ["pending"]
    async with notes.reader() as reader:
        reader.add(Note(text="never sent"))
        assert (await reader.scalars(select(Note.text))).all() == ["pending"]
        reader.expunge_all()


@pytest.mark.parametrize("how", ["at the end", "commit", "begin"])
async def test_whoever_is_cancelled_during_commit_learns_that_it_may_be_stored(notes: Database, how: str) -> None:
    @event.listens_for(notes.engines.pools[0].sync_engine, "commit")
    def cancel(_: object) -> None:
        working.cancel()

    async def work() -> None:
        async with notes.session() as session:
            if how == "begin":
                async with session.begin():
                    await add_note(session, "stored")
            else:
                await add_note(session, "stored")
            if how == "commit":
                await session.commit()

    working = asyncio.create_task(work())
    with pytest.raises(OutcomeUnknown):
        await working

    assert await texts(notes) == {"stored"}


async def test_whoever_is_cancelled_during_a_commit_that_fails_is_not_told_so(notes: Database) -> None:
    @event.listens_for(notes.engines.pools[0].sync_engine, "commit")
    def cancel(_: object) -> None:
        working.cancel()

    async def work() -> None:
        async with notes.session() as session:
            await add_note(session, "lost")
            session.add(Reply(note_id=10**6))
            await session.commit()

    working = asyncio.create_task(work())
    with pytest.raises((IntegrityError, asyncio.CancelledError)):
        await working

    assert await texts(notes) == set()


async def test_a_reader_does_not_answer_for_a_swallowed_select(notes: Database) -> None:
    async with notes.reader() as session:
        with pytest.raises(DBAPIError):
            await session.execute(text("SELECT nope"))

    assert await texts(notes) == set()


async def test_what_was_added_to_a_reader_is_refused_when_it_ends(notes: Database) -> None:
    with pytest.raises(ReadOnly):
        async with notes.reader() as session:
            session.add(Note(text="lost"))

    assert await texts(notes) == set()


async def test_begin_of_the_session_may_be_used_inside(notes: Database) -> None:
    async with notes.session() as session, session.begin():
        await add_note(session, "kept")

    assert await texts(notes) == {"kept"}


async def test_a_savepoint_undoes_a_failed_statement(notes: Database) -> None:
    async with notes.session() as session:
        await add_note(session, "kept")
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(insert(Note).values(text="kept"))
        await add_note(session, "too")

    assert await texts(notes) == {"kept", "too"}


async def test_a_failing_commit_raises_and_stores_nothing(notes: Database) -> None:
    """A deferred constraint is checked by COMMIT."""
    with pytest.raises(IntegrityError):
        async with notes.session() as session:
            await add_note(session, "lost")
            session.add(Reply(note_id=10**6))

    assert await texts(notes) == set()
    assert notes.checked_out() == 0


async def test_a_failing_flush_at_the_end_raises_and_stores_nothing(notes: Database) -> None:
    with pytest.raises(IntegrityError):
        async with notes.session() as session:
            await add_note(session, "twice")
            session.add(Note(text="twice"))

    assert await texts(notes) == set()


@pytest.mark.parametrize("explicit", [False, True], ids=["at the end", "explicit commit"])
async def test_a_swallowed_statement_error_is_not_committed(notes: Database, explicit: bool) -> None:
    """T7.1: PostgreSQL would answer COMMIT with a silent ROLLBACK, SQLite would commit the rest."""
    with pytest.raises(TransactionAborted) as raised:
        async with notes.session() as session:
            await session.execute(insert(Note).values(text="twice"))
            with pytest.raises(IntegrityError):
                await session.execute(insert(Note).values(text="twice"))
            if explicit:
                await session.commit()

    assert "UNIQUE" in str(raised.value.__cause__).upper()
    assert await texts(notes) == set()


@pytest.mark.parametrize("explicit", [False, True], ids=["at the end", "explicit commit"])
async def test_a_swallowed_flush_error_is_not_committed(notes: Database, explicit: bool) -> None:
    """T7.1"""
    with pytest.raises(TransactionAborted):
        async with notes.session() as session:
            await add_note(session, "twice")
            with pytest.raises(IntegrityError):
                await add_note(session, "twice")
            if explicit:
                await session.commit()

    assert await texts(notes) == set()


async def test_nothing_runs_between_a_swallowed_error_and_the_rollback(notes: Database) -> None:
    """T7.1"""
    async with notes.session() as session:
        with pytest.raises(IntegrityError):
            await session.execute(insert(Note).values(text=None))
        with pytest.raises(TransactionAborted):
            await session.execute(insert(Note).values(text="lost"))
        with pytest.raises(TransactionAborted):
            await session.execute(select(Note))
        with pytest.raises(TransactionAborted):
            async with session.begin_nested():
                await session.execute(select(Note))
        await session.rollback()
        await add_note(session, "kept")

    assert await texts(notes) == {"kept"}


async def test_a_swallowed_refusal_to_commit_does_not_revive_the_transaction(notes: Database) -> None:
    """T7.1"""
    with pytest.raises((TransactionAborted, InvalidRequestError)):
        async with notes.session() as session:
            await session.execute(insert(Note).values(text="lost"))
            with pytest.raises(IntegrityError):
                await session.execute(insert(Note).values(text="lost"))
            with pytest.raises(TransactionAborted):
                await session.commit()
            await session.execute(insert(Note).values(text="lost too"))

    assert await texts(notes) == set()
    async with notes.session() as session:
        await add_note(session, "kept")
    assert await texts(notes) == {"kept"}


async def test_a_session_kept_after_its_block_refuses_to_work(notes: Database) -> None:
    """T2.5: it would open a connection that nobody closes."""
    async with notes.session() as committed:
        await add_note(committed, "kept")
    with pytest.raises(ValueError, match="mine"):
        async with notes.session() as rolled_back:
            raise ValueError("mine")
    async with notes.reader() as reader:
        pass

    for session in (committed, rolled_back, reader):
        with pytest.raises(NotInTransaction, match=r"async with database.session\(\)"):
            await session.execute(select(Note))
        with pytest.raises(NotInTransaction, match="its block has ended"):
            session.add(Note(text="lost"))
        with pytest.raises(NotInTransaction, match="its block has ended"):
            await session.commit()
    assert notes.checked_out() == 0


async def test_a_second_block_of_the_same_task_is_refused_at_once(notes: Database) -> None:
    """It would wait for a connection, or for SQLite's only writer, that this very task holds."""
    async with notes.session() as session:
        for second in (notes.session, notes.reader):
            with pytest.raises(AlreadyInTransaction):
                await second().__aenter__()
        with pytest.raises(AlreadyInTransaction):
            await notes.unit_of_work().__aenter__()
        await add_note(session, "kept")
    async with notes.reader():
        with pytest.raises(AlreadyInTransaction):
            await notes.session().__aenter__()
    async with notes.unit_of_work():
        with pytest.raises(AlreadyInTransaction):
            await notes.session().__aenter__()

    assert await texts(notes) == {"kept"}


async def texts_seen_from_outside(database: Database) -> set[str]:
    """By a task that did not inherit the open block of this one."""
    return await asyncio.create_task(texts(database), context=contextvars.Context())


@pytest.mark.parametrize("opener", ["session", "reader"])
async def test_an_attribute_that_is_not_loaded_is_missing_greenlet_and_the_connection_stays(
    notes: Database, opener: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with notes.session() as session:
        await add_note(session, "stored")
    async with getattr(notes, opener)() as session:
        before = (await (await session.connection()).get_raw_connection()).driver_connection
        note = (await session.scalars(select(Note))).one()
        session.expire(note)
        with pytest.raises(MissingGreenlet):
            assert note.text
        assert (await (await session.connection()).get_raw_connection()).driver_connection is before
        await session.refresh(note)
        assert note.text == "stored"
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
