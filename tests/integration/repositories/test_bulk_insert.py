"""Many rows at a time: what they cost, and that ids are given in order and never twice."""

import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.domain.errors import InvalidValue, UnknownOwner
from steward.domain.items import ItemId, NewItem
from steward.domain.users import NewUser, User, UserId
from steward.service_layer import items

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, every_item, given_item, given_user
from tests.support.statements import Cost, counted


def boxes(owner: User, number: int) -> list[NewItem]:
    """Each with a quantity of its own."""
    return [NewItem.of(owner_id=owner.id, name="Box", quantity=quantity) for quantity in range(number)]


async def add(database: Database, new: list[NewItem], *, commit: bool = True) -> list[ItemId]:
    async with database.unit_of_work() as uow:
        ids = await uow.items.add_many(new, at=uow.now)
        if commit:
            await uow.commit()
    return ids


@pytest.mark.parametrize("number", [1, 2, 1000])
async def test_a_thousand_rows_cost_what_one_costs(database: Database, number: int) -> None:
    new = boxes(await given_user(database, "ada"), number)
    async with database.unit_of_work() as uow:
        with counted(database) as cost:
            await uow.items.add_many(new, at=uow.now)
        people = [NewUser.of(username=f"user-{n}", email=f"{n}@example.org") for n in range(number)]
        with counted(database) as cost_of_people:
            await uow.users.add_many(people, at=uow.now)
    # On SQLite the ids are given by hand: the SELECT says from which on.
    insertion = ["SELECT", "INSERT"] if database.dialect == "sqlite" else ["INSERT"]
    assert verbs(cost) == insertion
    # Before it, in portions, whether somebody has one of the names.
    assert verbs(cost_of_people) == ["SELECT"] * (number // 400 + 1) + insertion


def verbs(cost: Cost) -> list[str]:
    """Of its statements. The transaction began before the counting did, and SQLAlchemy may be told of that within."""
    return [sql.split(maxsplit=1)[0] for sql in cost.statements]


async def test_the_ids_are_those_of_the_rows_and_go_on_from_the_last(database: Database) -> None:
    ada = await given_user(database, "ada")
    before = await given_item(database, ada)
    ids = await add(database, boxes(ada, 2500))
    after = await given_item(database, ada)
    assert ids == list(range(before.id + 1, before.id + 2501))
    assert after.id == ids[-1] + 1
    for number in (0, 1, 999, 1000, 2499):
        item = await items.get_item(database.unit_of_work(), SYSTEM, item_id=ids[number])
        assert (item.id, item.quantity) == (ids[number], number)


async def test_an_id_that_has_been_given_is_not_given_again(database: Database) -> None:
    ada = await given_user(database, "ada")
    first = await add(database, boxes(ada, 3))
    for item_id in first:
        await items.delete_item(database.unit_of_work(), SYSTEM, item_id=item_id)
    second = await add(database, boxes(ada, 3))
    assert second[0] > first[-1]
    await add(database, boxes(ada, 3), commit=False)
    third = await add(database, boxes(ada, 3))
    assert third[0] > second[-1]
    assert [item.id for item in await every_item(database)] == [*second, *third]


async def test_what_a_savepoint_has_undone_leaves_no_row_and_no_gap_in_the_way(database: Database) -> None:
    ada = await given_user(database, "ada")
    strangers = NewItem.of(owner_id=UserId(4711), name="Box")
    async with database.unit_of_work() as uow:
        with pytest.raises(UnknownOwner):
            async with uow.savepoint():
                await uow.items.add_many([*boxes(ada, 3), strangers], at=uow.now)
        ids = await uow.items.add_many(boxes(ada, 3), at=uow.now)
        await uow.commit()
    assert [(item.id, item.quantity) for item in await every_item(database)] == list(zip(ids, range(3), strict=True))


async def test_rows_that_others_have_put_in_with_ids_of_their_own_are_in_nobodys_way(sqlite_url: str) -> None:
    """A file may have been filled by another program, or put together from a dump."""
    async with Database(sqlite_url, pool=PATIENT) as database:
        ada = await given_user(database, "ada")
        await given_item(database, ada)
        async with database.session() as session:
            await session.execute(text("UPDATE items SET id = 100"))
        assert (await add(database, boxes(ada, 2))) == [101, 102]
        async with database.session() as session:
            await session.execute(text("DELETE FROM sqlite_sequence"))
        assert (await add(database, boxes(ada, 2))) == [103, 104]
        assert (await given_item(database, ada)).id == 105


async def test_the_first_row_of_all_has_the_first_id(sqlite_url: str) -> None:
    async with Database(sqlite_url, pool=PATIENT) as database:
        assert await add(database, boxes(await given_user(database, "ada"), 2)) == [1, 2]


async def test_two_databases_on_one_file_take_turns(sqlite_url: str) -> None:
    async with Database(sqlite_url, pool=PATIENT) as one, Database(sqlite_url, pool=PATIENT) as other:
        ada = await given_user(one, "ada")
        ids = [item_id for database in (one, other) * 3 for item_id in await add(database, boxes(ada, 5))]
        assert ids == list(range(1, 31))


async def test_an_owner_beyond_the_range_of_ids_is_refused(database: Database) -> None:
    ada = await given_user(database, "ada")
    with pytest.raises(InvalidValue):
        await add(database, [*boxes(ada, 2), NewItem.of(owner_id=UserId(2**70), name="Box")])
    assert await every_item(database) == []
