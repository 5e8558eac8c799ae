"""Lists over HTTP: what they can be narrowed to and sorted by, and how many there are."""

from typing import Any

import httpx2
import pytest

from tests.support.http import Api, problem_of
from tests.support.statements import counted

from .test_pages import walk


async def names(api: Api, path: str, **parameters: Any) -> list[str]:
    answer = await api.client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["data"]]


async def given_items(api: Api) -> int:
    """The owner's id."""
    owner_id = int((await api.user())["id"])
    for name, quantity, description in (("Box", 3, "of wood"), ("Lid", 1, "for the BOX"), ("box", 1, None)):
        await api.item(owner_id, name=name, quantity=quantity, description=description)
    return owner_id


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["box", "Lid", "Box"]),
        ({"name": "Box"}, ["Box"]),
        ({"q": "box"}, ["box", "Lid", "Box"]),
        ({"q": "WOOD"}, ["Box"]),
        ({"q": "b%x"}, []),
        ({"q": ""}, ["box", "Lid", "Box"]),
        ({"min_quantity": "2"}, ["Box"]),
        ({"max_quantity": "1"}, ["box", "Lid"]),
        ({"q": "box", "max_quantity": "1", "sort": "name"}, ["Lid", "box"]),
        ({"created_after": "2026-01-01T00:00:00Z"}, ["box", "Lid", "Box"]),
        ({"created_after": "2999-01-01t00:00:00.5+05:30"}, []),
        ({"created_before": "2026-01-01T00:00:00-23:59"}, []),
        ({"created_before": "9999-12-31T23:59:59.999999Z"}, ["box", "Lid", "Box"]),
        ({"created_after": "0001-01-01T00:00:00Z"}, ["box", "Lid", "Box"]),
        ({"sort": "name"}, ["Box", "Lid", "box"]),
        ({"sort": "-name"}, ["box", "Lid", "Box"]),
        ({"sort": "quantity,-name"}, ["box", "Lid", "Box"]),
        ({"sort": "quantity,name"}, ["Lid", "box", "Box"]),
        ({"sort": "-quantity,id,name"}, ["Box", "Lid", "box"]),
        ({"sort": "-updated_at"}, ["box", "Lid", "Box"]),
    ],
)
async def test_items_are_narrowed_and_sorted_under_both_paths(
    api: Api, parameters: dict[str, str], found: list[str]
) -> None:
    owner_id = await given_items(api)
    await api.item((await api.user())["id"], name="Box")
    assert await names(api, f"/users/{owner_id}/items", **parameters) == found
    assert await names(api, "/items", owner_id=owner_id, **parameters) == found
    as_owner = await api.anonymous.get("/items", params=parameters, headers=await api.bearer(owner_id))
    assert [row["name"] for row in as_owner.json()["data"]] == found


async def test_both_bounds_of_the_time_are_what_the_contract_says(api: Api) -> None:
    item = await api.item((await api.user())["id"])
    at = item["created_at"]
    finer, later = at[:-1] + "5Z", at[:-1] + "0Z"
    for parameter, time, found in (
        ("created_after", at, True),
        ("created_after", later, True),
        ("created_after", finer, False),
        ("created_before", at, False),
        ("created_before", finer, True),
    ):
        page = await api.client.get("/items", params={parameter: time, "limit": 200})
        assert (item in page.json()["data"]) is found, (parameter, time)


async def test_users_are_narrowed_and_sorted(api: Api) -> None:
    ada, bob = await api.user("Ada-of-lists"), await api.user("bob-of-lists")
    await api.client.patch(f"/users/{bob['id']}", json={"is_active": False})
    for parameters, found in (
        ({"q": "OF-LISTS"}, [bob, ada]),
        ({"q": "of-lists@example", "sort": "username"}, [ada, bob]),
        ({"q": "of-lists", "sort": "-created_at"}, [bob, ada]),
        ({"q": "of-lists", "is_active": "true"}, [ada]),
        ({"q": "of-lists", "is_active": "false"}, [bob]),
        ({"q": "of-lists", "role": "admin"}, []),
        ({"q": "of-lists", "role": "member", "sort": "id"}, [ada, bob]),
    ):
        page = await api.client.get("/users", params=parameters)
        assert [row["id"] for row in page.json()["data"]] == [user["id"] for user in found], parameters


async def test_the_count_is_of_all_pages_and_there_only_when_asked_for(api: Api) -> None:
    owner_id = await given_items(api)
    path = f"/users/{owner_id}/items"
    for parameters, count in (({}, 3), ({"max_quantity": 1}, 2), ({"q": "nothing"}, 0), ({"expand": "owner"}, 3)):
        page = (await api.client.get(path, params={**parameters, "limit": 1, "count": "true"})).json()
        assert page["count"] == count
    for parameters in ({}, {"count": "false"}):
        assert "count" not in (await api.client.get(path, params=parameters)).json()
    assert (await api.client.get("/users?count=true&limit=1")).json()["count"] >= 2


async def test_the_count_takes_one_statement_more(api: Api) -> None:
    owner_id = await given_items(api)
    with counted(api.database) as cost:
        await api.client.get(f"/users/{owner_id}/items?count=true&expand=owner")
    assert len(cost.statements) == 3  # who asks, what they see, and how many there are


@pytest.mark.parametrize("sort", ["name", "-quantity,name", "quantity,-created_at", "updated_at"])
async def test_the_next_link_keeps_filters_sort_and_count(api: Api, sort: str) -> None:
    owner_id = await given_items(api)
    path = f"/users/{owner_id}/items?limit=1&q=box&max_quantity=3&sort={sort}&count=true&expand=owner"
    pages = await walk(api, path)
    assert [len(page) for page in pages] == [1, 1, 1]
    assert [page[0]["name"] for page in pages] == await names(api, f"/users/{owner_id}/items", sort=sort)
    second = await api.client.get((await api.client.get(path)).links["next"]["url"])
    assert second.json()["count"] == 3
    assert second.json()["data"][0]["owner"]["id"] == owner_id


@pytest.mark.parametrize(
    ("path", "parameter", "value", "code"),
    [
        ("/items", "sort", "nonsense", "unknown_sort_field"),
        ("/items", "sort", "", "unknown_sort_field"),
        ("/items", "sort", "name,name", "repeated_sort_field"),
        ("/items", "sort", "username", "unknown_sort_field"),
        ("/users", "sort", "name", "unknown_sort_field"),
        ("/users", "sort", "email", "unknown_sort_field"),
        ("/items", "name", "", "too_short"),
        ("/items", "name", "x" * 201, "too_long"),
        ("/items", "q", "x" * 201, "too_long"),
        ("/users", "q", "x" * 201, "too_long"),
        ("/items", "q", "a\nb", "control_character"),
        ("/items", "q", "\0", "control_character"),
        ("/items", "min_quantity", "-1", "greater_than_equal"),
        ("/items", "max_quantity", str(2**31), "less_than_equal"),
        ("/items", "min_quantity", "1.0", "int_parsing"),
        ("/items", "min_quantity", "", "int_parsing"),
        ("/items", "created_after", "2026-11-22", "datetime_parsing"),
        ("/items", "created_after", "2026-11-22T10:00:00", "timezone_aware"),
        ("/items", "created_after", "2026-11-22 10:00:00Z", "datetime_parsing"),
        ("/items", "created_after", "2026-11-22T10:00Z", "datetime_parsing"),
        ("/items", "created_after", "2026-02-30T10:00:00Z", "datetime_parsing"),
        ("/items", "created_after", "2026-11-22T10:00:00 02:00", "datetime_parsing"),
        ("/items", "created_before", "2026-11-22T10:00:00+24:00", "datetime_parsing"),
        ("/items", "created_before", "٢٠٢٦-11-22T10:00:00Z", "datetime_parsing"),
        ("/items", "created_before", "9999-12-31T23:59:59.9999999Z", "datetime_parsing"),
        ("/items", "created_before", "9999-12-31T23:59:59-00:01", "time_out_of_range"),
        ("/items", "created_after", "0001-01-01T00:00:00+00:01", "time_out_of_range"),
        ("/items", "created_after", "1795341600", "datetime_parsing"),
        ("/items", "count", "1", "bool_parsing"),
        ("/items", "count", "True", "bool_parsing"),
        ("/users", "is_active", "yes", "bool_parsing"),
        ("/users", "role", "root", "literal_error"),
        ("/users", "created_after", "2026-11-22T10:00:00Z", "unknown_parameter"),
        ("/users", "name", "x", "unknown_parameter"),
        ("/items", "role", "admin", "unknown_parameter"),
        ("/items", "offset", "100", "unknown_parameter"),
        ("/users/me/items", "owner_id", "1", "unknown_parameter"),
    ],
)
async def test_a_parameter_that_means_nothing_is_named(
    edge: Api, path: str, parameter: str, value: str, code: str
) -> None:
    answer = await edge.client.get(path, params={parameter: value})
    assert problem_of(answer) == (422, "invalid_request")
    [fault] = answer.json()["errors"]
    assert (fault["parameter"], fault["code"]) == (parameter, code)


async def test_every_fault_of_a_query_is_reported_at_once(edge: Api) -> None:
    answer = await edge.client.get("/items?sort=x&min_quantity=-1&created_after=now&limit=0&count=maybe&nonsense=1")
    assert {fault["parameter"] for fault in answer.json()["errors"]} == {
        *("sort", "min_quantity", "created_after", "limit", "count", "nonsense")
    }


async def test_a_plus_that_was_not_encoded_is_explained(edge: Api) -> None:
    answer = await edge.client.get(httpx2.URL("/items?created_after=2026-11-22T10:00:00+02:00"))
    [fault] = answer.json()["errors"]
    assert "%2B" in fault["detail"]
    assert (await edge.client.get("/items?created_after=2026-11-22T10:00:00%2B02:00")).status_code == 200
