"""Whatever a list is narrowed to and sorted by: its pages are what plain Python makes of all rows."""

import os
import random
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
import pytest_asyncio
from hypothesis import example, given, settings
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.adapters.memory import MemoryDatabase
from steward.domain.filters import ITEM_SORT_FIELDS, USER_SORT_FIELDS, ItemFilter, UserFilter
from steward.domain.items import MAX_QUANTITY, Item, NewItem
from steward.domain.pages import Position
from steward.domain.users import NewUser, Role, User, UserId
from steward.service_layer import lists

from tests.conftest import PATIENT, Postgres
from tests.support.given import SYSTEM, Store

EXAMPLES = int(os.environ.get("STEWARD_TEST_EXAMPLES", "60"))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TIMES = [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(days=40)]
TEXTS = ["a", "A", "ä", "a\u0308", "ß", "SS", "ﬁ", "İ", "ς", "Σ", "50%", "a_b", "\\", "'", "\ufffd", "📦", "z" * 200]
QUANTITIES = [0, 1, 2, MAX_QUANTITY]
OWNERS = [UserId(1), UserId(2), UserId(3)]


async def fill(store: Store) -> None:
    """The same rows in every backend; ids from 1."""
    draw = random.Random(4)
    people = [
        NewUser.of(username=name, email=f"{name}@example.{place}", role=role)
        for name, place, role in (
            ("Ada", "org", Role.ADMIN),
            ("bob", "ORG", Role.MEMBER),
            ("Zoë", "com", Role.MEMBER),
            ("zoe_ß", "com", Role.ADMIN),
        )
    ]
    async with store.unit_of_work() as uow:
        users = [await uow.users.add(each, at=draw.choice(TIMES)) for each in people]
        users[1].change(at=NOON, is_active=False)
        await uow.users.save(users[1])
        for _ in range(60):
            text = draw.choice(TEXTS)
            item = await uow.items.add(
                NewItem.of(
                    owner_id=draw.choice(OWNERS),
                    name=text,
                    description=draw.choice([None, "", text, f"{draw.choice(TEXTS)}\n{text}"]),
                    quantity=draw.choice(QUANTITIES),
                ),
                at=draw.choice(TIMES),
            )
            if draw.random() < 0.2:
                item.change(at=draw.choice(TIMES), name=draw.choice(TEXTS))
                await uow.items.save(item)
        await uow.commit()


@pytest_asyncio.fixture(scope="module")
async def filled_memory() -> MemoryDatabase:
    database = MemoryDatabase()
    await fill(database)
    return database


@pytest_asyncio.fixture(scope="module")
async def filled_sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    path = tmp_path_factory.mktemp("lists") / "steward.db"
    async with Database(f"sqlite+aiosqlite:///{path}", pool=PATIENT) as database:
        await schema.upgrade(database)
        await fill(database)
        yield database


@pytest_asyncio.fixture(scope="module")
async def filled_postgres(postgres: Postgres) -> AsyncIterator[Database]:
    url = await postgres.create()
    async with Database(url, pool=PATIENT) as database:
        await fill(database)
        yield database
    await postgres.drop(url)


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgres"])
def filled(request: pytest.FixtureRequest) -> Store:
    store: Store = request.getfixturevalue(f"filled_{request.param}")
    return store


def sorts_by(fields: list[str]) -> st.SearchStrategy[str]:
    signed = st.tuples(st.sampled_from(("", "-")), st.sampled_from(fields)).map("".join)
    return st.lists(signed, min_size=1, max_size=4, unique_by=lambda key: key.removeprefix("-")).map(",".join)


# `q` too may be a part of one of the texts, in another case.
PARTS = st.sampled_from([*TEXTS, "", "sS", "FI", "i", "Σς", "%", "_", "nothing"]).flatmap(
    lambda text: st.sampled_from([text, text.upper(), text[:1], text[1:]])
)
SOME_TIMES = st.sampled_from([*TIMES, *(time + timedelta(microseconds=1) for time in TIMES), NOON - timedelta(1)])
ITEM_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "owner_id": st.sampled_from([*OWNERS, UserId(4), UserId(2**70)]),
        "name": st.sampled_from(TEXTS),
        "q": PARTS,
        "min_quantity": st.sampled_from(QUANTITIES),
        "max_quantity": st.sampled_from(QUANTITIES),
        "created_after": SOME_TIMES,
        "created_before": SOME_TIMES,
    },
)
USER_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "q": st.sampled_from(["", "ADA", "o", "ss", "@EXAMPLE", ".com", "_", "ë", "e\u0308", "nobody"]),
        "role": st.sampled_from(Role),
        "is_active": st.booleans(),
    },
)


def folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def item_meets(item: Item, where: ItemFilter) -> bool:
    return (
        where.owner_id in (None, item.owner_id)
        and where.name in (None, item.name)
        and (where.q is None or any(folded(where.q) in folded(text) for text in (item.name, item.description or "")))
        and (where.min_quantity is None or item.quantity >= where.min_quantity)
        and (where.max_quantity is None or item.quantity <= where.max_quantity)
        and (where.created_after is None or item.created_at >= where.created_after)
        and (where.created_before is None or item.created_at < where.created_before)
    )


def user_meets(user: User, where: UserFilter) -> bool:
    return (
        (where.q is None or any(folded(where.q) in folded(text) for text in (user.username, user.email)))
        and where.role in (None, user.role)
        and where.is_active in (None, user.is_active)
    )


def in_order(rows: list[Any], sort: str) -> list[Any]:
    keys = sort.split(",")
    if not any(key.removeprefix("-") == "id" for key in keys):
        keys.append("-id" if keys[-1].startswith("-") else "id")
    for key in reversed(keys):
        rows.sort(key=lambda row: getattr(row, key.removeprefix("-")), reverse=key.startswith("-"))
    return rows


@settings(max_examples=EXAMPLES)
@example(filters={"owner_id": OWNERS[1]}, sort="id", limit=3)
@example(filters={"owner_id": OWNERS[1]}, sort="-id", limit=3)
@example(filters={}, sort="-quantity,name", limit=3)
@given(filters=ITEM_FILTERS, sort=sorts_by(list(ITEM_SORT_FIELDS)), limit=st.integers(1, 20))
async def test_the_pages_of_items(filled: Store, filters: dict[str, Any], sort: str, limit: int) -> None:
    async with filled.unit_of_work().reading() as uow:
        everything = await uow.items.page(limit=100)
    expected = in_order([item for item in everything if item_meets(item, ItemFilter(**filters))], sort)
    found: list[Item] = []
    with_owner: list[Item] = []
    after: Position | None = None
    while True:
        arguments: dict[str, Any] = {**filters, "sort": sort, "after": after, "limit": limit, "count": True}
        page = await lists.list_items(filled.unit_of_work(), SYSTEM, **arguments)
        owned = await lists.list_items_with_owner(filled.unit_of_work(), SYSTEM, **arguments)
        found += page
        with_owner += [each.item for each in owned]
        assert page.count == owned.count == len(expected)
        assert page.next == owned.next
        assert len(found) <= len(expected)
        if page.next is None:
            break
        assert len(page) == limit
        after = page.next
    assert found == with_owner == expected


@settings(max_examples=EXAMPLES)
@given(filters=USER_FILTERS, sort=sorts_by(list(USER_SORT_FIELDS)), limit=st.integers(1, 4))
async def test_the_pages_of_users(filled: Store, filters: dict[str, Any], sort: str, limit: int) -> None:
    async with filled.unit_of_work().reading() as uow:
        everything = await uow.users.page(limit=100)
    expected = in_order([user for user in everything if user_meets(user, UserFilter(**filters))], sort)
    found: list[User] = []
    after: Position | None = None
    while True:
        page = await lists.list_users(
            filled.unit_of_work(), SYSTEM, sort=sort, after=after, limit=limit, count=True, **filters
        )
        found += page
        assert page.count == len(expected)
        assert len(found) <= len(expected)
        if page.next is None:
            break
        after = page.next
    assert found == expected
