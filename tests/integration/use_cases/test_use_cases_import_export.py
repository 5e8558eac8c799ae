"""What an export and an import promise, in every backend."""

import asyncio
import contextvars
from collections.abc import Iterable, Iterator

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import Conflict, Forbidden, InvalidRows, RowFault, UnknownOwner
from steward.domain.items import Item, ItemId, NewItem
from steward.domain.users import Role, User, UserId
from steward.service_layer import exports, items
from steward.service_layer.exports import CHUNK, export_items, read_chunk
from steward.service_layer.imports import import_items
from steward.service_layer.retry import run

from tests.support.given import SYSTEM, Store, given_user

MANY = 2 * CHUNK + CHUNK // 2


def new_items(owner: User, count: int) -> list[NewItem]:
    return [NewItem.of(owner_id=owner.id, name=f"Box {number}") for number in range(count)]


async def given_items(store: Store, owner: User, count: int) -> None:
    await import_items(store.unit_of_work(), SYSTEM, pieces=lambda: [new_items(owner, count)])


async def exported(store: Store, owner: User) -> list[Item]:
    return [item async for chunk in export_items(store.unit_of_work(), Actor.of(owner)) for item in chunk]


# Export


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, MANY])
async def test_an_export_has_each_own_item_once_in_the_order_of_ids(store: Store, count: int) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    await given_items(store, bob, 1)
    await given_items(store, ada, count)
    await given_items(store, bob, 1)
    found = await exported(store, ada)
    assert [item.name for item in found] == [f"Box {number}" for number in range(count)]
    assert [item.id for item in found] == sorted(item.id for item in found)
    assert {item.owner_id for item in found} <= {ada.id}


async def test_an_admins_export_has_the_admins_own_items_unless_another_is_named(store: Store) -> None:
    ada, admin = await given_user(store, "ada"), await given_user(store, "root", role=Role.ADMIN)
    await given_items(store, ada, 2)
    await given_items(store, admin, 1)
    assert len(await exported(store, admin)) == 1
    uow = store.unit_of_work()
    assert [len(chunk) async for chunk in export_items(uow, Actor.of(admin), owner_id=ada.id)] == [2]
    assert await exports.count_items(uow, SYSTEM, owner_id=ada.id) == 2


async def test_nothing_is_open_while_the_reader_takes_their_time(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_items(store, ada, MANY)
    uow = store.unit_of_work()
    async for _ in export_items(uow, Actor.of(ada)):
        assert not uow.is_open


async def test_what_is_there_throughout_comes_once_whatever_else_changes(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_items(store, ada, MANY)
    before = await exported(store, ada)
    found: list[Item] = []
    async for chunk in export_items(store.unit_of_work(), Actor.of(ada)):
        found += chunk
        for gone in (chunk[-1], before.pop()):  # the one that the next part begins after, and one to come
            await items.delete_item(store.unit_of_work(), SYSTEM, item_id=gone.id)
        await items.update_item(store.unit_of_work(), SYSTEM, item_id=before[0].id, name=f"Box of {len(found)}")
        await given_items(store, ada, 1)
    ids = [item.id for item in found]
    there_throughout = {item.id for item in await exported(store, ada)} & {item.id for item in before}
    assert len(there_throughout) > 2 * CHUNK
    assert len(ids) == len(set(ids))
    assert there_throughout <= set(ids)


async def test_in_one_snapshot_all_are_as_they_were_at_one_moment(store: Store, backend: str) -> None:
    if backend == "sqlite-memory":
        pytest.skip("it has one connection: nobody writes meanwhile")
    ada = await given_user(store, "ada")
    await given_items(store, ada, MANY)
    before = await exported(store, ada)
    uow = store.unit_of_work()
    found: list[Item] = []
    async with uow.reading(snapshot=True):
        async for chunk in export_items(uow, Actor.of(ada)):
            found += chunk
            if len(found) == CHUNK:
                await _delete_in_another_task(store, before[-1].id)
    assert found == before
    assert len(await exported(store, ada)) == MANY - 1


async def _delete_in_another_task(store: Store, item_id: ItemId) -> None:
    """A second unit of work inside the first is refused."""
    work = items.delete_item(store.unit_of_work(), SYSTEM, item_id=item_id)
    assert await asyncio.create_task(work, context=contextvars.Context())


async def test_a_chunk_begins_after_any_id(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_items(store, ada, 3)
    for after in (0, -(2**63), 2**63 - 1):
        found = await read_chunk(store.unit_of_work(), Actor.of(ada), after=ItemId(after))
        assert len(found) == (0 if after > 0 else 3)


# Import


async def test_all_pieces_are_added_as_one(store: Store) -> None:
    ada = await given_user(store, "ada")
    new = new_items(ada, 25)
    told: list[int] = []
    pieces = [new[:10], [], new[10:]]
    added = await import_items(store.unit_of_work(), Actor.of(ada), pieces=lambda: pieces, progress=told.append)
    found = await exported(store, ada)
    assert (added, told) == (25, [10, 10, 25])
    assert [item.name for item in found] == [each.name for each in new]
    assert {(item.version, item.created_at) for item in found} == {(1, found[0].created_at)}


async def test_an_import_of_nothing_adds_nothing(store: Store) -> None:
    assert await import_items(store.unit_of_work(), SYSTEM, pieces=list) == 0


async def test_what_goes_wrong_late_leaves_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")

    def pieces() -> Iterator[list[NewItem]]:
        yield new_items(ada, 10)
        raise InvalidRows([RowFault(11, (), "malformed_json", "It has changed")], 1)

    with pytest.raises(InvalidRows):
        await import_items(store.unit_of_work(), Actor.of(ada), pieces=pieces)
    assert await exported(store, ada) == []


async def test_an_owner_who_is_not_there_is_refused(store: Store) -> None:
    ada = await given_user(store, "ada")
    new = [*new_items(ada, 1), NewItem.of(owner_id=UserId(4711), name="Box")]
    with pytest.raises(UnknownOwner):
        await import_items(store.unit_of_work(), SYSTEM, pieces=lambda: [new])
    assert await exported(store, ada) == []


async def test_nobody_imports_for_others(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    pieces = [new_items(ada, 1), new_items(bob, 1)]
    with pytest.raises(Forbidden):
        await import_items(store.unit_of_work(), Actor.of(ada), pieces=lambda: pieces)
    assert await exported(store, ada) == []


async def test_a_conflict_makes_it_begin_again(store: Store) -> None:
    ada = await given_user(store, "ada")
    attempts = 0

    def pieces() -> Iterable[list[NewItem]]:
        nonlocal attempts
        attempts += 1
        yield new_items(ada, 10)
        if attempts < 3:
            raise Conflict

    assert await run(store.unit_of_work(), import_items, Actor.of(ada), pieces=pieces) == 10
    assert len(await exported(store, ada)) == 10
    assert attempts == 3
