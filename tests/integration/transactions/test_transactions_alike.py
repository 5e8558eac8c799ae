"""What SQLite and PostgreSQL do differently by themselves, and alike here (T5.1 to T5.4, T7.1, T7.2, T7.4 to T7.6)."""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from steward.adapters.database.database import Database
from steward.adapters.database.error_translation import translating
from steward.config import load_settings
from steward.domain.actors import Actor
from steward.domain.errors import Conflict, EmailTaken, TransactionAborted, UsernameTaken
from steward.domain.items import Item, ItemId
from steward.domain.users import User
from steward.entrypoints.python import Steward
from steward.entrypoints.python import open as open_steward
from steward.service_layer import items, retry, users
from steward.service_layer.deadline import within
from steward.service_layer.unit_of_work import UnitOfWork

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, every_username, given_item, given_user
from tests.support.notes import Note, Reply, add_note, create_tables, texts
from tests.support.statements import counted


async def increment(uow: UnitOfWork, actor: Actor, *, item_id: ItemId) -> None:
    """Read, change, write: what loses updates where the database lets it."""
    async with uow:
        item = await uow.items.get(item_id)
        item.change(at=uow.now, quantity=item.quantity + 1)
        await uow.items.save(item)
        await uow.commit()


async def test_thirty_increments_at_once_are_thirty(database_url: str) -> None:
    """T5.1, T7.2: through `steward.open`, as a script would."""
    # A busy machine is no reason to give up.
    patient = load_settings(database_url=database_url, pool_timeout=60)
    async with within(60), open_steward(patient, migrate=True) as app:
        box = await box_of(app)

        await asyncio.gather(*(app.run(increment, SYSTEM, item_id=box.id) for _ in range(30)))

        assert (await app.items.get(SYSTEM, item_id=box.id)).quantity == 30


async def box_of(app: Steward) -> Item:
    ada = await app.run(users.register_user, SYSTEM, username="ada", email="ada@example.org")
    return await app.items.create(Actor.of(ada), name="Box", quantity=0)


async def test_thirty_increments_in_plain_sessions_are_thirty(notes: Database) -> None:
    """T7.2: on PostgreSQL the row has to be locked; SQLite has one writer, and drops FOR UPDATE in silence."""
    await increment_notes(notes, notes)

    assert await texts(notes) == {"30"}


async def test_thirty_increments_from_two_processes_are_thirty(server_url: str) -> None:
    """T7.2: which know nothing of each other's pools. SQLite would refuse whoever reads first and writes later."""
    async with Database(server_url, pool=PATIENT) as one, Database(server_url, pool=PATIENT) as other:
        await create_tables(one)
        await increment_notes(one, other)

        assert await texts(one) == {"30"}


async def increment_notes(*databases: Database) -> None:
    async with databases[0].session() as session:
        await add_note(session, "0")

    async def increment_note(database: Database) -> None:
        async with database.session() as session:
            note = await session.scalar(select(Note).with_for_update())
            assert note is not None
            note.text = str(int(note.text) + 1)

    async with asyncio.TaskGroup() as tasks:
        for database in databases * 15:
            tasks.create_task(again_after_conflicts(partial(increment_note, database)))


async def again_after_conflicts(unit: Callable[[], Awaitable[None]]) -> None:
    """As whoever uses plain sessions on a serializable database has to: there a row that was locked may be stale."""
    while True:
        try:
            with translating():  # the session lets the database's own error out
                return await unit()
        except Conflict:
            await asyncio.sleep(random.uniform(0, 0.05))


async def test_foreign_keys_are_held_on_every_connection(notes_url: str) -> None:
    """T5.2: SQLite forgets them for each new connection."""
    async with Database(notes_url, pool=replace(PATIENT, size=3)) as database:
        await create_tables(database)
        for _ in range(3):
            with pytest.raises(IntegrityError):
                async with database.session() as session:
                    session.add(Reply(note_id=10**6))
            for engine in database.engines.pools:
                await engine.dispose()  # the next connection is a new one


async def test_a_released_savepoint_is_undone_with_the_whole(notes: Database) -> None:
    """T5.3: SQLite's driver would begin no transaction around it."""
    with pytest.raises(ValueError, match="mine"):
        async with notes.session() as session:
            async with session.begin_nested():
                await add_note(session, "lost")
            raise ValueError("mine")

    assert await texts(notes) == set()


async def test_a_table_made_in_a_transaction_goes_with_it(notes: Database) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with notes.session() as session:
            await session.execute(text("CREATE TABLE lost (id INTEGER)"))
            raise ValueError("mine")
    async with notes.session() as session:
        await session.execute(text("CREATE TABLE lost (id INTEGER)"))


async def test_one_rollback_leaves_the_commit_of_another_alone(notes: Database) -> None:
    """T5.4: by default all sessions on a database in memory share one transaction."""
    begun, committed = asyncio.Event(), asyncio.Event()

    async def roll_back() -> None:
        async with notes.session() as session:
            begun.set()
            await committed.wait()
            await add_note(session, "lost")
            raise ValueError("mine")

    async def commit() -> None:
        await begun.wait()
        async with notes.session() as session:
            await add_note(session, "kept")
        committed.set()

    outcomes = await asyncio.gather(roll_back(), commit(), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ValueError, type(None)]
    assert await texts(notes) == {"kept"}


async def test_nobody_reads_what_is_not_committed(notes: Database) -> None:
    """T5.4"""
    async with notes.session() as session:
        await add_note(session, "kept")
        reading = asyncio.create_task(texts(notes), context=contextvars.Context())
        await asyncio.sleep(0.05)
        await session.rollback()
        assert await reading == set()


async def test_a_service_that_swallows_a_refusal_stores_nothing(database: Database) -> None:
    """T7.1"""
    await given_user(database, "ada")

    async def register_two(uow: UnitOfWork, actor: Actor) -> None:
        async with uow:
            await users.register_user(uow, actor, username="bob", email="bob@example.org")
            with pytest.raises(UsernameTaken):
                await users.register_user(uow, actor, username="ada", email="other@example.org")
            await uow.commit()

    with pytest.raises(TransactionAborted):
        await retry.run(database.unit_of_work(), register_two, SYSTEM)

    assert await every_username(database) == ["ada"]


async def test_a_duplicate_is_told_in_the_same_words(database: Database) -> None:
    """T7.5"""
    await given_user(database, "ada")

    with pytest.raises(UsernameTaken, match=r"^This username is taken$"):
        await users.register_user(database.unit_of_work(), SYSTEM, username="ADA", email="other@example.org")
    with pytest.raises(EmailTaken, match=r"^This e-mail address is taken$"):
        await users.register_user(database.unit_of_work(), SYSTEM, username="bob", email="ADA@example.org")


async def test_a_dead_lock_is_run_again_and_both_succeed(database: Database) -> None:
    """T7.4: two units that take two rows in the opposite order."""
    ada = await given_user(database, "ada")
    boxes = [await given_item(database, ada, quantity=0) for _ in range(2)]
    first_taken = asyncio.Barrier(2) if database.dialect == "postgresql" else asyncio.Barrier(1)
    attempts = 0

    async def increment_both(uow: UnitOfWork, actor: Actor, *, one: ItemId, other: ItemId) -> None:
        nonlocal attempts
        attempts += 1
        async with uow:
            await increment(uow, actor, item_id=one)
            if attempts <= 2:
                await first_taken.wait()  # SQLite lets one in at a time
            await increment(uow, actor, item_id=other)
            await uow.commit()

    one, other = boxes[0].id, boxes[1].id
    async with within(60):  # PostgreSQL looks for a dead lock after a second, and a busy machine later
        await asyncio.gather(
            retry.run(database.unit_of_work(), increment_both, SYSTEM, one=one, other=other),
            retry.run(database.unit_of_work(), increment_both, SYSTEM, one=other, other=one),
        )

    after = [await items.get_item(database.unit_of_work(), SYSTEM, item_id=box.id) for box in boxes]
    assert [item.quantity for item in after] == [2, 2]
    assert attempts >= (3 if database.dialect == "postgresql" else 2)


async def test_a_user_is_locked_while_deleted(postgres_url: str) -> None:
    """T7.6: SQLite drops FOR UPDATE in silence, so it has to be looked for where it works."""
    async with Database(postgres_url, pool=PATIENT) as database:
        ada: User = await given_user(database, "ada")
        with counted(database) as cost:
            await users.delete_user(database.unit_of_work(), SYSTEM, user_id=ada.id)

    assert any("FOR UPDATE" in sql for sql in cost.statements)
