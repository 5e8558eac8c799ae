"""Sample data: what it promises to whoever tests and measures with it."""

import unicodedata
from collections import Counter

import pytest
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.errors import Forbidden, InvalidValue
from steward.domain.items import Item
from steward.domain.users import Role, User, UserId
from steward.service_layer import lists
from steward.service_layer.seeding import seed


async def _seeded(database: MemoryDatabase, **numbers: int) -> tuple[list[User], list[Item]]:
    uow, system = database.unit_of_work(), Actor.system()
    await seed(uow, system, **numbers)  # type: ignore[arg-type]
    return (
        (await lists.list_users(uow, system, limit=10_000)).rows,
        (await lists.list_items(uow, system, limit=10_000)).rows,
    )


def _content(found: tuple[list[User], list[Item]]) -> list[object]:
    people, things = found
    return [
        *((user.id, user.username, user.email) for user in people),
        *((item.owner_id, item.name, item.description, item.quantity, item.attributes) for item in things),
    ]


async def test_the_same_seed_gives_the_same_data() -> None:
    first = await _seeded(MemoryDatabase(), users=20, items=1_200, seed=7)
    again = await _seeded(MemoryDatabase(), users=20, items=1_200, seed=7)
    other = await _seeded(MemoryDatabase(), users=20, items=1_200, seed=8)
    assert _content(first) == _content(again)
    assert _content(first) != _content(other)


async def test_a_second_run_does_not_collide_with_the_first() -> None:
    database = MemoryDatabase()
    await _seeded(database, users=50, items=10)
    people, things = await _seeded(database, users=50, items=10)
    assert (len(people), len(things)) == (100, 20)


async def test_one_user_owns_a_tenth_and_nobody_else_as_much() -> None:
    _, things = await _seeded(MemoryDatabase(), users=300, items=5_000)
    counts = Counter(item.owner_id for item in things).most_common()
    assert counts[0] == (1, 500)
    assert counts[1][1] < 500
    assert counts[1][1] > 10 * counts[-1][1], "the others are not alike either"


async def test_names_come_in_many_scripts() -> None:
    people, _ = await _seeded(MemoryDatabase(), users=500, items=0)
    scripts = {unicodedata.name(letter).split()[0] for user in people for letter in user.username if letter.isalpha()}
    assert scripts >= {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "DEVANAGARI", "THAI", "CJK", "HANGUL"}
    assert scripts & {"HIRAGANA", "KATAKANA"}


async def test_items_vary() -> None:
    _, things = await _seeded(MemoryDatabase(), users=10, items=1_000)
    descriptions = {item.description for item in things}
    assert {None, ""} < descriptions
    assert any("\n" in (text or "") for text in descriptions)
    assert {0, 1, 2} < {item.quantity for item in things}
    assert {} in [item.attributes for item in things]
    assert any("city" in item.attributes.get("bought", {}).get("shop", {}) for item in things)


async def test_without_new_users_the_items_go_to_those_who_are_there() -> None:
    database = MemoryDatabase()
    await _seeded(database, users=3, items=0)
    _, things = await _seeded(database, users=0, items=40)
    assert {item.owner_id for item in things} == {1, 2, 3}


async def test_items_need_an_owner() -> None:
    with pytest.raises(InvalidValue):
        await _seeded(MemoryDatabase(), users=0, items=1)


async def test_only_an_admin_adds_sample_data() -> None:
    with pytest.raises(Forbidden):
        await seed(MemoryDatabase().unit_of_work(), Actor(UserId(1), Role.MEMBER), users=1, items=0)


async def test_progress_is_told_after_each_transaction() -> None:
    told: list[tuple[str, int]] = []
    await seed(
        MemoryDatabase().unit_of_work(),
        Actor.system(),
        users=1_500,
        items=2_100,
        progress=lambda kind, count: told.append((kind, count)),
    )
    assert told == [("users", 1_000), ("users", 1_500), ("items", 1_000), ("items", 2_000), ("items", 2_100)]


async def test_inside_an_open_block_all_is_one_transaction() -> None:
    database = MemoryDatabase()
    uow = database.unit_of_work()
    async with uow:
        await seed(uow, Actor.system(), users=2, items=2)
    assert not (await lists.list_users(database.unit_of_work(), Actor.system())).rows
