"""Lists: pages that can be followed, cursors that cannot be forged into an error, and what a list costs."""

import base64
import json
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steward.domain.items import NewItem
from steward.domain.users import UserId

from tests.support.http import Api, problem_of
from tests.support.statements import counted


async def walk(api: Api, path: str) -> list[list[dict[str, Any]]]:
    """The pages from `path` on, each reached by the Link of the one before, as it stands."""
    pages = []
    following: str | None = path
    while following is not None:
        answer = await api.client.get(following)
        pages.append(answer.json()["data"])
        following = answer.links.get("next", {}).get("url")
        assert (answer.json()["next_cursor"] is None) == (following is None)
    return pages


async def five_items(api: Api) -> tuple[int, list[dict[str, Any]]]:
    owner_id = (await api.user())["id"]
    return owner_id, [await api.item(owner_id, name=f"Box {number}") for number in range(5)]


async def many_items(api: Api, owner_id: int, number: int) -> None:
    new = NewItem.of(owner_id=UserId(owner_id), name="Box")
    async with api.database.unit_of_work() as uow:
        await uow.items.add_many([new] * number, at=uow.now)
        await uow.commit()


async def test_pages_hold_every_row_once_the_newest_first(api: Api) -> None:
    owner_id, made = await five_items(api)
    for path in (f"/users/{owner_id}/items?limit=2", f"/items?limit=2&owner_id={owner_id}"):
        assert await walk(api, path) == [[made[4], made[3]], [made[2], made[1]], [made[0]]]


async def test_a_page_that_holds_just_the_rest_is_the_last(api: Api) -> None:
    owner_id, made = await five_items(api)
    assert await walk(api, f"/users/{owner_id}/items/?limit=5") == [made[::-1]]


async def test_users_come_in_pages_too(api: Api) -> None:
    made = [await api.user() for _ in range(3)]
    first = await api.client.get("/users?limit=2")
    assert first.json()["data"] == [made[2], made[1]]
    second = await api.client.get("/users", params={"limit": 1, "cursor": first.json()["next_cursor"]})
    assert second.json()["data"] == [made[0]]


async def test_the_next_page_shows_what_the_first_was_asked_to_show(api: Api) -> None:
    owner_id, _ = await five_items(api)
    first = await api.client.get(f"/users/{owner_id}/items?expand=owner&limit=2")
    second = await api.client.get(first.links["next"]["url"])
    assert [row["owner"]["id"] for row in second.json()["data"]] == [owner_id, owner_id]


async def test_rows_that_come_and_go_between_two_pages_shift_nothing(api: Api) -> None:
    owner_id, made = await five_items(api)
    first = await api.client.get(f"/users/{owner_id}/items?limit=2")
    await api.client.delete(f"/items/{made[4]['id']}")
    await api.client.delete(f"/items/{made[3]['id']}")
    await api.item(owner_id)
    assert (await api.client.get(first.links["next"]["url"])).json()["data"] == [made[2], made[1]]


async def test_fifty_rows_are_a_page_unless_the_client_says_otherwise(api: Api) -> None:
    owner_id = (await api.user())["id"]
    await many_items(api, owner_id, 51)
    assert [len(page) for page in await walk(api, f"/users/{owner_id}/items")] == [50, 1]
    assert [len(page) for page in await walk(api, f"/users/{owner_id}/items?limit=200")] == [51]


async def test_a_cursor_belongs_to_its_list_and_its_filters(api: Api) -> None:
    owner_id, _ = await five_items(api)
    other = (await api.user())["id"]
    cursor = (await api.client.get(f"/users/{owner_id}/items?limit=1")).json()["next_cursor"]
    assert (await api.client.get("/items", params={"owner_id": owner_id, "cursor": cursor})).status_code == 200
    for path in (f"/users/{other}/items", "/users", "/items", f"/items?owner_id={other}"):
        answer = await api.client.get(httpx2.URL(path).copy_merge_params({"cursor": cursor}))
        assert problem_of(answer) == (400, "invalid_cursor")


async def test_a_cursor_belongs_to_its_sort_and_to_whoever_was_given_it(api: Api) -> None:
    owner_id, _ = await five_items(api)
    other = await api.bearer((await api.user())["id"])
    as_owner = await api.bearer(owner_id)
    page = await api.anonymous.get("/items?limit=1&sort=name&q=box", headers=as_owner)
    for parameters, headers, status in (
        ("sort=name&q=box", as_owner, 200),
        ("sort=name,id&q=box&limit=3&count=true&expand=owner", as_owner, 200),  # the same list, shown in another way
        ("sort=name&q=box", other, 400),
        ("sort=name&q=box", api.client.headers, 400),
        ("sort=-name&q=box", as_owner, 400),
        ("q=box", as_owner, 400),
        ("sort=name&q=bo", as_owner, 400),
        ("sort=name", as_owner, 400),
        ("sort=name&q=box&min_quantity=0", as_owner, 400),
    ):
        path = f"/items?{parameters}&cursor={page.json()['next_cursor']}"
        assert (await api.anonymous.get(path, headers=headers)).status_code == status, parameters


async def test_a_cursor_goes_on_after_a_row_that_is_gone(api: Api) -> None:
    owner_id, made = await five_items(api)
    path = f"/users/{owner_id}/items?limit=2&sort=-name"
    first = await api.client.get(path)
    await api.client.delete(f"/items/{made[3]['id']}")
    await api.client.patch(f"/items/{made[4]['id']}", json={"quantity": 9})
    assert (await api.client.get(first.links["next"]["url"])).json()["data"] == [made[2], made[1]]


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


FILTERS = {"list": "items", "owner_id": None}
# As the first version wrote them, unsigned, and what is nearly so.
NEVER_GIVEN_OUT: list[Any] = [
    *(None, 1, "abc", [], {}, [1], [1, 2], {"a": 1}, [[[[]]]], [1, 1, FILTERS], [2, 1, FILTERS], [1, 2**70, FILTERS])
]


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "=", "x", "é", "\0", "null", "AAAA", "a" * 5_000, "%", "////", "-_-_", " ", "W" * 600 + "1" * 900),
        *map(forged, NEVER_GIVEN_OUT),
        base64.urlsafe_b64encode(b"[" * 40_000).decode(),
    ],
    ids=lambda cursor: cursor[:30],
)
async def test_a_cursor_that_was_not_given_out_is_invalid(edge: Api, cursor: str) -> None:
    assert problem_of(await edge.client.get("/items", params={"cursor": cursor})) == (400, "invalid_cursor")


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
any_bytes = st.binary(max_size=80).map(lambda content: base64.urlsafe_b64encode(content).decode())


@settings(max_examples=80)
@given(cursor=any_json.map(forged) | any_bytes | st.text(st.characters(codec="utf-8"), max_size=80))
async def test_no_cursor_whatsoever_is_an_internal_error(edge: Api, cursor: str) -> None:
    for path in ("/items", "/users", "/users/1/items"):
        answer = await edge.client.get(path, params={"cursor": cursor})
        assert answer.status_code == 400


async def test_a_list_of_200_costs_as_many_statements_as_a_list_of_one(api: Api) -> None:
    owner_id = (await api.user())["id"]
    await many_items(api, owner_id, 200)
    for path in ("/items", f"/users/{owner_id}/items"):
        lengths, costs = [], []
        for limit in (1, 200):
            with counted(api.database) as cost:
                page = await api.client.get(path, params={"expand": "owner", "limit": limit})
            lengths.append(len(page.json()["data"]))
            costs.append(len(cost.statements))
        assert lengths == [1, 200]
        assert costs == [2, 2]  # who asks, and what they see
