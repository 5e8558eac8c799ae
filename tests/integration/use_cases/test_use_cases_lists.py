"""What lists of users and items show to whom, page by page, in every backend."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import Forbidden, InvalidValue, UserNotFound
from steward.domain.items import Item, OwnedItem
from steward.domain.pages import Page
from steward.domain.users import MAX_ID, Owner, Role, UserId
from steward.service_layer import items, lists

from tests.support.given import SYSTEM, Store, given_item, given_user

NAIVE = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - that is what is refused


async def walk(store: Store, between: Callable[[Page[Item]], Any] | None = None, **arguments: Any) -> list[Item]:
    """Page by page to the end; `between` two pages something happens."""
    page = await lists.list_items(store.unit_of_work(), SYSTEM, **arguments)
    found = list(page)
    while page.next is not None:
        if between is not None:
            await between(page)
        page = await lists.list_items(store.unit_of_work(), SYSTEM, after=page.next, **arguments)
        found += page
    return found


async def test_everyone_lists_their_own_items_and_admins_all_or_one_owners(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, lid, cup = await given_item(store, ada), await given_item(store, bob), await given_item(store, ada)
    uow = store.unit_of_work()
    assert (await lists.list_items(uow, Actor.of(ada))).rows == [cup, box]
    assert (await lists.list_items(uow, Actor.of(ada), owner_id=ada.id)).rows == [cup, box]
    assert (await lists.list_items(uow, SYSTEM)).rows == [cup, lid, box]
    assert (await lists.list_items(uow, SYSTEM, owner_id=bob.id)).rows == [lid]
    assert (await lists.list_items(uow, SYSTEM, owner_id=UserId(2**70), count=True)) == Page([], None, 0)
    with pytest.raises(UserNotFound, match=f"User id {ada.id} not found"):
        await lists.list_items(uow, Actor.of(bob), owner_id=ada.id)


async def test_a_list_with_owners_is_the_same_list(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, lid = await given_item(store, ada), await given_item(store, bob)
    uow = store.unit_of_work()
    with_ada, with_bob = OwnedItem(box, Owner(ada.id, "ada")), OwnedItem(lid, Owner(bob.id, "bob"))
    assert (await lists.list_items_with_owner(uow, SYSTEM)).rows == [with_bob, with_ada]
    assert (await lists.list_items_with_owner(uow, Actor.of(ada))).rows == [with_ada]
    first = await lists.list_items_with_owner(uow, SYSTEM, limit=1, count=True)
    assert first == Page([with_bob], (lid.id,), 2)
    assert await lists.list_items_with_owner(uow, SYSTEM, limit=1, after=first.next) == Page([with_ada])
    with pytest.raises(UserNotFound):
        await lists.list_items_with_owner(uow, Actor.of(bob), owner_id=ada.id)


async def test_filters_are_of_what_the_actor_may_see(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, _ = await given_item(store, ada, name="Box", quantity=3), await given_item(store, bob, name="Box")
    await given_item(store, ada, name="Lid", quantity=3)
    uow = store.unit_of_work()
    found = await lists.list_items(
        uow,
        Actor.of(ada),
        name="Box",
        q="OX",
        min_quantity=3,
        max_quantity=3,
        created_after=box.created_at,
        created_before=datetime(9999, 1, 1, tzinfo=UTC),
        count=True,
    )
    assert found == Page([box], None, 1)


async def test_users_are_listed_from_the_newest_in_pages(store: Store) -> None:
    ada, bob, eve = [await given_user(store, name) for name in ("ada", "bob", "eve")]
    uow = store.unit_of_work()
    first = await lists.list_users(uow, SYSTEM, limit=2)
    assert first == Page([eve, bob], (bob.id,))
    assert await lists.list_users(uow, SYSTEM, after=first.next, limit=1) == Page([ada])


async def test_users_are_filtered_sorted_and_counted(store: Store) -> None:
    ada, bob, eve = [await given_user(store, name, role=Role.ADMIN) for name in ("ada", "bob", "eve")]
    await given_user(store, "zoe")
    page = await lists.list_users(
        store.unit_of_work(),
        SYSTEM,
        q="EXAMPLE",
        role=Role.ADMIN,
        is_active=True,
        sort="-username",
        limit=2,
        count=True,
    )
    assert page == Page([eve, bob], ("bob", bob.id), 3)
    assert ada not in page


async def test_admins_alone_list_users(store: Store) -> None:
    ada, root = await given_user(store, "ada"), await given_user(store, "root", role=Role.ADMIN)
    uow = store.unit_of_work()
    assert len(await lists.list_users(uow, Actor.of(root))) == 2
    with pytest.raises(Forbidden):
        await lists.list_users(uow, Actor.of(ada))


async def test_a_bound_beyond_all_ids_bounds_nothing(store: Store) -> None:
    await given_user(store, "ada")
    for bound, found in [(MAX_ID, 1), (0, 0), (-(2**63), 0)]:
        assert len(await lists.list_users(store.unit_of_work(), SYSTEM, after=(bound,))) == found


NO_POSITIONS: list[tuple[str, Any]] = [
    ("id", ()),
    ("id", (1, 1)),
    ("id", ("1",)),
    ("id", (True,)),
    ("id", (1.0,)),
    ("id", (None,)),
    ("id", (2**63,)),
    ("quantity", (-(2**63) - 1, 1)),
    ("name", (1, 1)),
    ("name", ("\0", 1)),
    ("name", ("\ud800", 1)),
    ("created_at", ("2026-11-22", 1)),
    ("created_at", (NAIVE, 1)),
]


async def test_what_can_be_no_position_in_a_list_is_refused(store: Store) -> None:
    for sort, after in NO_POSITIONS:
        for listing in (lists.list_items, lists.list_items_with_owner):
            with pytest.raises(InvalidValue) as caught:
                await listing(store.unit_of_work(), SYSTEM, sort=sort, after=after)
            assert caught.value.field == "after"


NO_SORTS: list[str] = ["", "owner_id", "description", "name,,id", "name,-name", "--name", "+name", " name"]


async def test_what_is_no_sort_is_refused(store: Store) -> None:
    for sort in NO_SORTS:
        with pytest.raises(InvalidValue) as caught:
            await lists.list_items(store.unit_of_work(), SYSTEM, sort=sort)
        assert caught.value.field == "sort"
        with pytest.raises(InvalidValue):
            await lists.list_users(store.unit_of_work(), SYSTEM, sort=sort)


NO_FILTERS: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "x" * 201),
    ("q", "x" * 201),
    ("q", "a\nb"),
    ("q", "\0"),
    ("min_quantity", -1),
    ("max_quantity", 2**31),
    ("min_quantity", True),
    ("created_after", NAIVE),
    ("created_before", "2026-11-22"),
    ("created_before", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    ("created_after", datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
]


async def test_a_filter_that_nothing_can_meet_is_refused(store: Store) -> None:
    for field, value in NO_FILTERS:
        filters: Any = {field: value}
        with pytest.raises(InvalidValue) as caught:
            await lists.list_items(store.unit_of_work(), SYSTEM, **filters)
        assert caught.value.field == field


async def test_a_page_of_none_is_refused(store: Store) -> None:
    for limit in [0, -1]:
        for listing in (lists.list_users, lists.list_items, lists.list_items_with_owner):
            with pytest.raises(InvalidValue):
                await listing(store.unit_of_work(), SYSTEM, limit=limit)


# Others write between two pages


@pytest.mark.parametrize(
    ("sort", "of_one_owner"),
    [
        ("-id", False),
        ("-id", True),
        ("id", False),
        ("name", False),
        ("-quantity,name", False),
        ("-quantity,name", True),
        ("created_at,-quantity", False),
    ],
)
async def test_pages_neither_repeat_nor_miss_a_row_while_others_come_and_go(
    store: Store, of_one_owner: bool, sort: str
) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    there = [await given_item(store, ada, name=f"{number % 3}", quantity=number % 2) for number in range(10)]
    foreign = [await given_item(store, bob) for _ in range(2)]
    going = [await given_item(store, ada, name=f"{number % 3}") for number in range(6)]
    renamed = [await given_item(store, ada) for _ in range(2)]
    uow = store.unit_of_work()

    async def others(page: Page[Item]) -> None:
        await given_item(store, ada, name="0", quantity=9)
        await given_item(store, ada, name="9", quantity=0)
        last = page.rows[-1]  # the very row that the next page begins after, if it may go
        for gone in [item for item in going if item.id == last.id] or going[:1]:
            going.remove(gone)
            await items.delete_item(uow, SYSTEM, item_id=gone.id)
        for each, name in zip(renamed, ("00", "99"), strict=True):
            await items.update_item(uow, SYSTEM, item_id=each.id, name=name)
        for each in there[::4]:  # what the list is not sorted by
            await items.update_item(uow, SYSTEM, item_id=each.id, description="changed")

    seen = [
        item.id for item in await walk(store, others, owner_id=ada.id if of_one_owner else None, sort=sort, limit=3)
    ]
    for item in there if of_one_owner else there + foreign:
        assert seen.count(item.id) == 1
    assert "name" in sort or len(seen) == len(set(seen))


async def test_a_page_and_its_count_are_of_one_moment(store: Store) -> None:
    ada = await given_user(store, "ada")
    for _ in range(3):
        await given_item(store, ada)
    uow = store.unit_of_work()
    async with uow.reading():  # as that in which the request of a client is identified
        assert (await lists.list_items(uow, Actor.of(ada), limit=2, count=True)).count == 3
    async with uow:  # and one's own uncommitted writes count
        await items.create_item(uow, Actor.of(ada), name="Lid")
        assert (await lists.list_items(uow, Actor.of(ada), limit=2, count=True)).count == 4
