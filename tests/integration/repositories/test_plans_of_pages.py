"""How the databases read a page: from an index, in its order, beginning where the page begins."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.domain.filters import ITEM_SORT_FIELDS, USER_SORT_FIELDS, ItemFilter
from steward.domain.pages import Position, Sort
from steward.domain.users import UserId

from tests.conftest import PATIENT, Postgres
from tests.support.filling import fill_items, fill_users
from tests.support.plans import Plan, plan_of

OWNER = ItemFilter(owner_id=UserId(7))
ITEM_SORTS = [f"{sign}{field}" for field in ITEM_SORT_FIELDS for sign in ("", "-")]
USER_SORTS = [f"{sign}{field}" for field in USER_SORT_FIELDS for sign in ("", "-")]


@pytest_asyncio.fixture(scope="module")
async def filled_sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    async with Database(
        f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('plans') / 'steward.db'}", pool=PATIENT
    ) as database:
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


async def fill(database: Database) -> None:
    await fill_users(database, 5_000)
    await fill_items(database, 20_000, owners=20)


@pytest.fixture
def filled(server_backend: str, request: pytest.FixtureRequest) -> Database:
    database: Database = request.getfixturevalue(f"filled_{server_backend}")
    return database


async def middle(database: Database, sort: Sort) -> Position:
    async with database.unit_of_work().reading() as uow:
        return sort.position_of((await uow.items.page(OWNER, sort=sort, limit=500))[-1])


def of_items(plan: Plan) -> list[str]:
    return [scan for scan in plan.scans if "users" not in scan]


@pytest.mark.parametrize("sort", ITEM_SORTS)
@pytest.mark.parametrize("later", [False, True])
async def test_a_page_of_one_owner_is_a_range_of_an_index_over_what_it_is_sorted_by(
    filled: Database, sort: str, later: bool
) -> None:
    order = Sort.of(sort, fields=ITEM_SORT_FIELDS)
    after = await middle(filled, order) if later else None
    alone = await plan_of(filled, lambda uow: uow.items.page(OWNER, sort=order, after=after, limit=51))
    with_owner = await plan_of(filled, lambda uow: uow.items.page_with_owner(OWNER, sort=order, after=after, limit=51))
    for plan in (alone, with_owner):
        assert plan.sorts == []
        for scan in of_items(plan):
            assert "_".join(["ix_items_owner_id", *(key.field for key in order.keys)]) in scan
            assert not later or order.keys[0].field in scan.partition("(")[2]


@pytest.mark.parametrize("sort", [sort for sort in ITEM_SORTS if "id" not in sort])
async def test_a_later_page_begins_at_its_first_row_however_many_are_equal(filled: Database, sort: str) -> None:
    order = Sort.of(sort, fields=ITEM_SORT_FIELDS)
    after = await middle(filled, order)
    plan = await plan_of(filled, lambda uow: uow.items.page(OWNER, sort=order, after=after, limit=51))
    field, sign = order.keys[0].field, "<" if order.keys[0].descending else ">"
    if filled.dialect == "postgresql":
        [scan] = plan.scans
        assert f"ROW({field}, id) {sign} ROW(" in scan
    else:
        assert [scan.partition("(")[2] for scan in plan.scans] == [
            f"owner_id=? AND {field}{sign}?)",
            f"owner_id=? AND {field}=? AND id{sign}?)",
        ]


LATEST, EARLIEST = datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
BEHIND = [
    ("quantity", {"min_quantity": 0}),
    ("-quantity", {"max_quantity": 2**31 - 1}),
    ("created_at", {"created_after": EARLIEST}),
    ("-created_at", {"created_before": LATEST}),
]
AHEAD = [
    ("quantity", {"max_quantity": 2**31 - 1}),
    ("-quantity", {"min_quantity": 0}),
    ("created_at", {"created_before": LATEST}),
    ("-created_at", {"created_after": EARLIEST}),
]


@pytest.mark.parametrize(("sort", "which"), [*BEHIND, *AHEAD])
async def test_a_filter_on_what_a_list_is_sorted_by_lets_no_page_begin_earlier(
    filled: Database, sort: str, which: dict[str, Any]
) -> None:
    """Of two bounds on one side a database may take the filter's, and read all pages before in order to skip them."""
    order, where = Sort.of(sort, fields=ITEM_SORT_FIELDS), ItemFilter(UserId(7), **which)
    after = await middle(filled, order)
    plan = await plan_of(filled, lambda uow: uow.items.page(where, sort=order, after=after, limit=51))
    field, sign = order.keys[0].field, "<" if order.keys[0].descending else ">"
    is_ahead = (sort, which) in AHEAD
    assert plan.sorts == []
    if filled.dialect == "postgresql":
        [scan] = plan.scans
        assert f"ROW({field}, id) {sign} ROW(" in scan
        assert scan.count(f"({field} ") == is_ahead
    else:
        both = f"{field}>? AND {field}<?" if is_ahead else f"{field}{sign}?"
        assert [scan.partition("(")[2] for scan in plan.scans] == [
            f"owner_id=? AND {both})",
            f"owner_id=? AND {field}=? AND id{sign}?)",
        ]


@pytest.mark.parametrize("sort", ["id", "-id"])
async def test_a_later_page_of_one_owner_by_id_begins_at_its_first_row(filled: Database, sort: str) -> None:
    order = Sort.of(sort, fields=ITEM_SORT_FIELDS)
    after = await middle(filled, order)
    plan = await plan_of(filled, lambda uow: uow.items.page(OWNER, sort=order, after=after, limit=51))
    [scan] = plan.scans
    if filled.dialect == "postgresql":
        sign, end = ("<", ">=") if sort == "-id" else (">", "<=")
        assert f"ROW(owner_id, id) {sign} ROW(" in scan
        assert scan.count("(owner_id ") == scan.count(f"(owner_id {end} ") == 1
    else:
        assert scan.partition("(")[2] == f"owner_id=? AND id{'<' if sort == '-id' else '>'}?)"


@pytest.mark.parametrize("sort", ["quantity", "-quantity", "quantity,-name"])
@pytest.mark.parametrize("start", [0, 400, 600, 2**31 - 1])
async def test_a_position_outside_the_filters_is_no_way_around_them(filled: Database, sort: str, start: int) -> None:
    order = Sort.of(sort, fields=ITEM_SORT_FIELDS)
    after = (start, "", 0)[:: 2 if len(order.keys) == 2 else 1]
    where = ItemFilter(UserId(7), min_quantity=300, max_quantity=500)
    async with filled.unit_of_work().reading() as uow:
        every = await uow.items.page(where, sort=order, limit=10_000)
        found = await uow.items.page(where, sort=order, after=after, limit=10_000)
    assert every
    behind = [item for item in every if (item.quantity < start if sort == "-quantity" else item.quantity >= start)]
    assert [item.id for item in found] == [item.id for item in behind]


@pytest.mark.parametrize(("sort", "bound"), [("-quantity,name", "quantity"), ("name,-id", "name")])
async def test_a_page_in_mixed_directions_begins_at_the_first_of_its_fields(
    filled: Database, sort: str, bound: str
) -> None:
    order = Sort.of(sort, fields=ITEM_SORT_FIELDS)
    after = await middle(filled, order)
    plan = await plan_of(filled, lambda uow: uow.items.page(OWNER, sort=order, after=after, limit=51))
    [scan] = plan.scans
    assert f"ix_items_owner_id_{bound}_id" in scan
    assert bound in scan.partition("(")[2]
    [rest] = plan.sorts  # of those that are equal in it, no more
    assert rest.startswith(("Incremental Sort", "USE TEMP B-TREE FOR RIGHT PART", "USE TEMP B-TREE FOR LAST"))


@pytest.mark.parametrize("sort", ["id", "-id"])
@pytest.mark.parametrize("later", [False, True])
async def test_a_page_of_all_items_is_a_range_of_their_ids(filled: Database, sort: str, later: bool) -> None:
    order = Sort.of(sort, fields=ITEM_SORT_FIELDS)
    plan = await plan_of(filled, lambda uow: uow.items.page(sort=order, after=(10_000,) if later else None, limit=51))
    [scan] = plan.scans
    assert plan.sorts == []
    if filled.dialect == "postgresql":
        assert scan.startswith("Index Scan pk_items")
        assert ("id" in scan.partition("(")[2]) is later
    else:
        assert scan == ("SEARCH items USING INTEGER PRIMARY KEY (rowid{}?)" if later else "SCAN items").format(
            "<" if sort == "-id" else ">"
        )


@pytest.mark.parametrize("sort", USER_SORTS)
@pytest.mark.parametrize("later", [False, True])
async def test_a_page_of_users_is_a_range_of_an_index(filled: Database, sort: str, later: bool) -> None:
    order = Sort.of(sort, fields=USER_SORT_FIELDS)
    async with filled.unit_of_work().reading() as uow:
        after = order.position_of((await uow.users.page(sort=order, limit=2_500))[-1]) if later else None
    plan = await plan_of(filled, lambda uow: uow.users.page(sort=order, after=after, limit=51))
    assert plan.sorts == []
    if order.keys[0].field != "id":
        assert all(f"ix_users_{order.keys[0].field}_id" in scan for scan in plan.scans)
    elif filled.dialect == "postgresql":
        assert all("pk_users" in scan for scan in plan.scans)
    assert not later or all("(" in scan for scan in plan.scans)
