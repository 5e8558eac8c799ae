"""Lists: filters, sorts, pages and counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from operator import attrgetter

import pytest

from ...domain.filters import ITEM_SORT_FIELDS, USER_SORT_FIELDS, ItemFilter, UserFilter
from ...domain.items import MAX_QUANTITY, Item, NewItem
from ...domain.pages import Position, Sort
from ...domain.users import MAX_ID, NewUser, Role, User, UserId
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import NOWHERE, add, apart, names_in, new_item

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
# By code point, which is neither the order of UTF-16 (U+FFFD comes after all others there) nor that of any language.
NAMES = ["", "10", "9", "Z", "a", "e\u0301", "\u00e9", "\ufffd", "\U0001f4e6"]
SORTS = [
    *(f"{sign}{field}" for field in ITEM_SORT_FIELDS for sign in ("", "-")),
    "-quantity,name",
    "quantity,-name,created_at",
    "-created_at,-quantity,id",
    "name,updated_at,-id",
]


def item_sort(text: str) -> Sort:
    return Sort.of(text, fields=ITEM_SORT_FIELDS)


async def given_various_items(store: Store) -> list[Item]:
    """Of two owners; values of every field that can be sorted by occur more than once."""
    owners = [await given_user(store), await given_user(store)]
    async with store.unit_of_work() as uow:
        found = [
            await uow.items.add(
                NewItem.of(owner_id=owners[number % 2].id, name=f"x{name}", quantity=number % 3),
                at=NOON + timedelta(microseconds=number % 4),
            )
            for number, name in enumerate([*NAMES, *NAMES[::2]])
        ]
        found[0].change(at=NOON + timedelta(days=1), description="changed")
        await uow.items.save(found[0])
        await uow.commit()
    return found


async def walk(uow: UnitOfWork, where: ItemFilter, sort: Sort, *, limit: int) -> list[Item]:
    """Page by page to the end."""
    found: list[Item] = []
    after: Position | None = None
    while page := await uow.items.page(where, sort=sort, after=after, limit=limit):
        found += page
        assert len(found) <= 100, "the walk does not come to its end"
        after = sort.position_of(page[-1])
    return found


def plainly_sorted(rows: Sequence[Item], sort: Sort) -> list[Item]:
    found = list(rows)
    for key in reversed(sort.keys):
        found.sort(key=lambda row: getattr(row, key.field), reverse=key.descending)
    return found


class Pages(Setting):
    async def test_pages_run_from_the_newest_to_the_oldest(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            people = [await add(uow, f"user-{number}") for number in range(5)]
            things = [await uow.items.add(new_item(people[number % 2]), at=uow.now) for number in range(6)]
            await uow.commit()
        people.reverse()
        things.reverse()
        async with store.unit_of_work().reading() as uow:
            assert await uow.users.page(limit=10) == people
            assert await uow.users.page(limit=2) == people[:2]
            assert await uow.users.page(after=(people[1].id,), limit=2) == people[2:4]
            assert await uow.users.page(after=(people[-1].id,), limit=2) == []
            assert await uow.items.page(limit=10) == things
            assert await uow.items.page(after=(things[1].id,), limit=2) == things[2:4]
            own = [item for item in things if item.owner_id == people[-1].id]
            assert await uow.items.page(ItemFilter(owner_id=people[-1].id), after=(own[0].id,), limit=1) == own[1:2]

    async def test_pages_in_any_order_hold_every_item_once(self, store: Store) -> None:
        things = await given_various_items(store)
        async with store.unit_of_work().reading() as uow:
            for order in map(item_sort, SORTS):
                for where in (ItemFilter(), ItemFilter(owner_id=things[0].owner_id)):
                    some = [each for each in things if where.owner_id in (None, each.owner_id)]
                    expected = plainly_sorted(some, order)
                    assert await uow.items.page(where, sort=order, limit=100) == expected, order
                    for limit in (1, 3):
                        assert await walk(uow, where, order, limit=limit) == expected, order

    async def test_users_come_in_any_order_too(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            people = [
                await uow.users.add(
                    NewUser.of(username=f"x{name}x", email=f"{number}@example.org"),
                    at=NOON + timedelta(microseconds=number % 2),
                )
                for number, name in enumerate(["Z", "a", "b", "é", "\U00020000"])
            ]
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            for field in USER_SORT_FIELDS:
                for sign in ("", "-"):
                    order = Sort.of(f"{sign}{field}", fields=USER_SORT_FIELDS)
                    people.sort(key=attrgetter(field, "id"), reverse=bool(sign))
                    first = await uow.users.page(sort=order, limit=2)
                    second = await uow.users.page(sort=order, after=order.position_of(first[-1]), limit=100)
                    assert first + second == people, order

    async def test_each_item_of_a_page_has_its_owner(self, store: Store) -> None:
        things, order = await given_various_items(store), item_sort("-quantity,name")
        async with store.unit_of_work().reading() as uow:
            for where in (ItemFilter(), ItemFilter(owner_id=things[0].owner_id, min_quantity=1)):
                for after in (None, order.position_of(things[2])):
                    alone = await uow.items.page(where, sort=order, after=after, limit=4)
                    owned = await uow.items.page_with_owner(where, sort=order, after=after, limit=4)
                    assert alone
                    assert [each.item for each in owned] == alone
                    for each in owned:
                        owner = await uow.users.get(each.item.owner_id)
                        assert (each.owner.id, each.owner.username) == (owner.id, owner.username)

    async def test_a_page_begins_after_a_position_whether_or_not_its_row_is_still_there(self, store: Store) -> None:
        things, order = await given_various_items(store), item_sort("name")
        expected = plainly_sorted(things, order)
        async with store.unit_of_work() as uow:
            await uow.items.delete(expected[2])
            after = order.position_of(expected[2])
            assert await uow.items.page(sort=order, after=after, limit=100) == expected[3:]

    async def test_a_position_may_lie_beyond_all_rows(self, store: Store) -> None:
        item = await given_item(store)
        beyond: dict[str, Position] = {
            "id": (-(2**63),),
            "-id": (MAX_ID,),
            "quantity": (-(2**63), 0),
            "-quantity": (MAX_ID, MAX_ID),
            "name": ("", 0),
            "-name": ("\U0010ffff" * 1000, 0),
            "created_at": (datetime.min.replace(tzinfo=UTC), 0),
            "-created_at": (datetime.max.replace(tzinfo=UTC), 0),
        }
        async with store.unit_of_work().reading() as uow:
            for sort, after in beyond.items():
                order = item_sort(sort)
                opposite = item_sort(
                    ",".join(str(key).removeprefix("-") if key.descending else f"-{key}" for key in order.keys)
                )
                assert await uow.items.page(sort=order, after=after, limit=10) == [item], sort
                assert await uow.items.page(sort=opposite, after=after, limit=10) == [], sort

    async def test_every_filter_narrows_a_list_and_its_count(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        tick = timedelta(microseconds=1)
        async with store.unit_of_work() as uow:
            box = await uow.items.add(NewItem.of(owner_id=ada.id, name="Box", quantity=0), at=NOON)
            lid = await uow.items.add(NewItem.of(owner_id=ada.id, name="Lid", quantity=5), at=NOON + tick)
            jar = await uow.items.add(
                NewItem.of(owner_id=bob.id, name="box", quantity=MAX_QUANTITY), at=NOON + 2 * tick
            )
            await uow.commit()
        expected: dict[ItemFilter, list[Item]] = {
            ItemFilter(): [box, lid, jar],
            ItemFilter(owner_id=ada.id): [box, lid],
            ItemFilter(name="Box"): [box],
            ItemFilter(q="BOX"): [box, jar],
            ItemFilter(min_quantity=5): [lid, jar],
            ItemFilter(max_quantity=5): [box, lid],
            ItemFilter(min_quantity=5, max_quantity=5): [lid],
            ItemFilter(min_quantity=6, max_quantity=5): [],
            ItemFilter(min_quantity=MAX_QUANTITY): [jar],
            ItemFilter(created_after=NOON + tick): [lid, jar],
            ItemFilter(created_before=NOON + tick): [box],
            ItemFilter(created_after=(NOON + tick).astimezone(timezone(timedelta(hours=5, minutes=30)))): [lid, jar],
            ItemFilter(created_after=datetime.min.replace(tzinfo=UTC)): [box, lid, jar],
            ItemFilter(created_before=datetime.max.replace(tzinfo=UTC)): [box, lid, jar],
            ItemFilter(ada.id, "Lid", "i", 1, 9, created_after=NOON, created_before=NOON + 2 * tick): [lid],
        }
        async with store.unit_of_work().reading() as uow:
            for where, found in expected.items():
                assert await uow.items.page(where, sort=item_sort("id"), limit=10) == found
                assert await uow.items.count(where) == len(found)
                assert await uow.items.page(where, sort=item_sort("id"), limit=1) == found[:1]

    async def test_an_id_that_nobody_has_owns_nothing_whatever_it_is(self, store: Store) -> None:
        await given_item(store)
        async with store.unit_of_work().reading() as uow:
            for nowhere in NOWHERE:
                where = ItemFilter(owner_id=UserId(nowhere))
                assert await uow.items.page(where, limit=10) == [], nowhere
                assert await uow.items.page_with_owner(where, limit=10) == [], nowhere
                assert await uow.items.count(where) == 0, nowhere

    async def test_a_part_of_a_name_or_description_is_found_in_any_case(self, store: Store) -> None:
        item = await given_item(store, name="Straße 📦 '5%\\", description="first Cafe\u0301\nSecond LINE")
        await given_item(store, name="x", description=None)
        found = ["", "ss", "STRASSE", "straße", "CAFÉ", "cafe\u0301", "%", "5%", "\\", "'", "second line", "📦"]
        not_found = ["cafe", "5_", "_", "*", "nothing", "ßefirst"]
        async with store.unit_of_work().reading() as uow:
            pages = {q: await uow.items.page(ItemFilter(q=q), limit=10) for q in (*found, *not_found)}
        assert [q for q, page in pages.items() if item in page] == found

    async def test_what_is_written_later_is_searched_too(self, store: Store) -> None:
        owner = await given_user(store)
        async with store.unit_of_work() as uow:
            box = await uow.items.add(new_item(owner, "Box"), at=uow.now)
            [lid] = await uow.items.add_many([new_item(owner, "Lid")], at=uow.now)
            box.change(at=uow.now, name="Case", description="of a Violin")
            await uow.items.save(box)
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            for q, found in (("box", []), ("case", [box.id]), ("VIOLIN", [box.id]), ("lid", [lid])):
                assert [item.id for item in await uow.items.page(ItemFilter(q=q), limit=10)] == found

    async def test_the_longest_item_can_be_searched(self, store: Store) -> None:
        # Each of these characters is three when it is folded.
        item = await given_item(store, name="\u0390" * 200, description="ﬃ" * 10_000)
        async with store.unit_of_work().reading() as uow:
            assert await uow.items.page(ItemFilter(q="FFI" * 66), limit=10) == [item]

    async def test_users_are_found_by_name_address_role_and_whether_they_are_active(self, store: Store) -> None:
        ada = await given_user(store, username="Ada", email="LoveLace@example.org", role=Role.ADMIN)
        bob = await given_user(store, username="Bob_ß", email="bob@example.com", is_active=False)
        expected: dict[UserFilter, list[User]] = {
            UserFilter(): [bob, ada],
            UserFilter(q="ADA"): [ada],
            UserFilter(q="lovelace@"): [ada],
            UserFilter(q="SS"): [bob],
            UserFilter(q="b_"): [bob],
            UserFilter(q="a_a"): [],
            UserFilter(q="EXAMPLE"): [bob, ada],
            UserFilter(role=Role.ADMIN): [ada],
            UserFilter(role=Role.MEMBER): [bob],
            UserFilter(is_active=True): [ada],
            UserFilter(is_active=False): [bob],
            UserFilter(q="b", role=Role.MEMBER, is_active=True): [],
        }
        async with store.unit_of_work().reading() as uow:
            for where, found in expected.items():
                assert await uow.users.page(where, limit=10) == found
                assert await uow.users.count(where) == len(found)

    @pytest.mark.promise(6)
    async def test_a_page_and_its_count_agree_in_a_snapshot(
        self, store: Store, readers_beside_the_writer: None
    ) -> None:
        await given_user(store)

        async def write() -> None:
            await given_user(store)

        async with store.unit_of_work().reading() as uow:  # as that in which a request is identified
            before = await names_in(uow)
            async with uow.reading(snapshot=True):
                page = await uow.users.page(limit=10)
                await apart(write())
                assert await uow.users.count() == len(page) == len(before)
            assert await uow.users.count() == len(before) + 1
