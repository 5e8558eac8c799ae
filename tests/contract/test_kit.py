"""The kit that `steward.testing` offers to authors of unit tests."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import Conflict, DatabaseUnavailable, InvalidValue, OutcomeUnknown
from steward.domain.filters import ItemFilter
from steward.domain.users import PasswordHash, Role
from steward.service_layer import items, users
from steward.service_layer.hashing import Hasher
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import Clock, FastHasher, MemoryDatabase, given_item, given_user


def test_the_plain_parts_need_nothing_but_python() -> None:
    blocked = (
        "sqlalchemy fastapi starlette pydantic pydantic_settings alembic asyncpg aiosqlite pytest hypothesis pwdlib"
    )
    program = f"""
import sys
for name in "{blocked}".split():
    sys.modules[name] = None
import asyncio
from steward.testing import Clock, FastHasher, MemoryDatabase, given_item, given_user
async def main():
    database = MemoryDatabase(clock=Clock())
    await given_item(database, owner=await given_user(database))
    assert len(database.items) == 1
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_given_users_and_items_are_committed_and_differ() -> None:
    database = MemoryDatabase()
    ada, bob = await given_user(database), await given_user(database)
    box = await given_item(database, owner=ada)
    lid = await given_item(database)
    assert ada.username != bob.username
    assert database.users[ada.id] == ada
    assert database.items == {box.id: box, lid.id: lid}
    assert box.owner_id == ada.id
    assert lid.owner_id not in (ada.id, bob.id)


async def test_a_given_user_has_what_the_test_says() -> None:
    database = MemoryDatabase()
    root = await given_user(
        database,
        username="root",
        email="me@example.org",
        role=Role.ADMIN,
        is_active=False,
        password_hash=PasswordHash("x"),
    )
    assert (root.username, root.email, root.role, root.is_active) == ("root", "me@example.org", Role.ADMIN, False)
    assert root.password_hash == PasswordHash("x")
    box = await given_item(
        database, owner=root.id, name="Box", description="Big", quantity=7, attributes={"size": [1, 2]}
    )
    assert (box.owner_id, box.name, box.description, box.quantity) == (root.id, "Box", "Big", 7)
    assert box.attributes == {"size": [1, 2]}


async def test_it_counts_what_was_committed_and_what_was_rolled_back() -> None:
    database = MemoryDatabase()
    await given_user(database)
    async with database.unit_of_work():
        pass
    async with database.unit_of_work().reading():
        assert database.open_units == 1
    assert (database.commits, database.rollbacks, database.open_units) == (1, 1, 0)


async def test_what_it_shows_as_committed_are_copies() -> None:
    database = MemoryDatabase()
    item = await given_item(database, attributes={"sizes": [1]})
    database.items[item.id].attributes["sizes"].append(2)
    database.users[item.owner_id].username = "changed"
    assert database.items[item.id] == item
    assert database.users[item.owner_id].username != "changed"


async def test_the_clock_stands_still_until_it_is_told_otherwise() -> None:
    clock = Clock(datetime(2026, 1, 1, tzinfo=UTC))
    database = MemoryDatabase(clock=clock)
    item = await given_item(database)
    clock.advance(hours=1)
    clock.advance(timedelta(minutes=1), days=1, seconds=-1)
    changed = await items.update_item(database.unit_of_work(), Actor.system(), item_id=item.id, quantity=2)
    assert item.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert changed.updated_at == datetime(2026, 1, 2, 1, 0, 59, tzinfo=UTC)
    clock.set(datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock() == datetime(2030, 1, 1, tzinfo=UTC)
    assert clock().tzinfo is UTC


def test_the_clock_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        Clock(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


async def test_the_fast_hasher_refuses_what_the_real_one_refuses() -> None:
    hasher: Hasher = FastHasher()
    assert await hasher.hash("correct horse") == await hasher.hash("correct horse")
    assert await hasher.hash("correct horse") != await hasher.hash("battery staple")
    assert "correct horse" not in repr(await hasher.hash("correct horse"))
    with pytest.raises(InvalidValue):
        await hasher.hash("short")


@pytest.mark.parametrize("stored", [False, True])
async def test_a_commit_can_be_lost_on_demand_before_or_after_it_was_stored(stored: bool) -> None:
    database = MemoryDatabase()
    database.fail_next_commit(OutcomeUnknown, stored=stored)
    with pytest.raises(OutcomeUnknown):
        await given_user(database, username="ada")
    assert (database.commits, database.rollbacks) == ((1, 0) if stored else (0, 1))
    assert {user.username for user in database.users.values()} == ({"ada"} if stored else set())
    await given_user(database, username="bob")


async def test_a_failure_on_demand_is_the_very_one_and_comes_once() -> None:
    database = MemoryDatabase()
    error = DatabaseUnavailable("The cable is out")
    database.fail_next_commit(error)
    with pytest.raises(DatabaseUnavailable) as caught:
        await given_user(database)
    assert caught.value is error
    await given_user(database)
    assert database.commits == 1


async def test_conflicts_on_demand_are_retried_by_run_and_by_nobody_else() -> None:
    database = MemoryDatabase()
    database.conflict_next(2)
    await database.run(users.register_user, Actor.system(), username="ada", email="ada@example.org")
    assert (database.commits, database.rollbacks) == (1, 2)
    database.conflict_next()
    with pytest.raises(Conflict):
        await users.register_user(database.unit_of_work(), Actor.system(), username="bob", email="bob@example.org")
    assert (database.commits, database.rollbacks) == (1, 3)


async def test_a_failure_on_demand_does_not_strike_joined_commits() -> None:
    database = MemoryDatabase()
    database.fail_next_commit(OutcomeUnknown)
    with pytest.raises(OutcomeUnknown):
        async with database.unit_of_work() as uow:
            await users.register_user(uow, Actor.system(), username="ada", email="ada@example.org")
            await users.register_user(uow, Actor.system(), username="bob", email="bob@example.org")
            await uow.commit()
    assert not database.users


async def test_a_broken_clock_leaves_no_unit_open() -> None:
    def broken() -> datetime:
        raise RuntimeError("no time")

    database = MemoryDatabase(clock=broken)
    with pytest.raises(RuntimeError, match="no time"):
        async with database.unit_of_work():
            pytest.fail("It was entered")
    assert database.open_units == 0
    assert not database.writer.locked()


# How somebody tests a use case of their own, with no database anywhere.


async def share_evenly(uow: UnitOfWork, actor: Actor, *, name: str, among: list[str]) -> int:
    """Hand one of the actor's items called `name` to each of `among`, or nothing to anybody."""
    async with uow:
        given = 0
        for item in await uow.items.page(ItemFilter(owner_id=actor.user_id), limit=100):
            if item.name == name and given < len(among):
                await items.transfer_item(uow, actor, item_id=item.id, to=among[given])
                given += 1
        await uow.commit()
    return given


async def test_everybody_gets_one() -> None:
    database = MemoryDatabase()
    me, ada, bob = [await given_user(database, username=name) for name in ("myself", "ada", "bob")]
    for _ in range(3):
        await given_item(database, owner=me, name="Box")

    assert await database.run(share_evenly, Actor.of(me), name="Box", among=["ada", "bob"]) == 2

    assert sorted(item.owner_id for item in database.items.values()) == [me.id, ada.id, bob.id]


async def test_nobody_gets_anything_if_one_of_them_is_unknown() -> None:
    database = MemoryDatabase()
    me, ada = await given_user(database), await given_user(database, username="ada")
    for _ in range(2):
        await given_item(database, owner=me, name="Box")

    with pytest.raises(InvalidValue):
        await database.run(share_evenly, Actor.of(me), name="Box", among=["ada", "nobody"])

    assert all(item.owner_id != ada.id for item in database.items.values())


async def test_a_lost_race_is_run_again_from_the_beginning() -> None:
    database = MemoryDatabase()
    me, ada = await given_user(database), await given_user(database, username="ada")
    await given_item(database, owner=me, name="Box")
    database.conflict_next()

    assert await database.run(share_evenly, Actor.of(me), name="Box", among=["ada"]) == 1

    assert [item.owner_id for item in database.items.values()] == [ada.id]
