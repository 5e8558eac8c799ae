"""What a member sends along in the hope that it is stored."""

from typing import Any

import pytest
from steward.adapters.database import tables

from tests.e2e.http.callers import given_scene, stored
from tests.e2e.http.matrix import PASSWORD
from tests.support.http import Api

# What a member may set; every other column of the tables, and what a table may have one day, is not theirs.
SIGN_UP = {"username": "mallory", "email": "mallory@example.org", "password": PASSWORD}
ITEM = {"name": "Lid", "description": "Oak", "quantity": 2, "attributes": {}}
INVENTED = {"is_admin", "is_superuser", "admin", "password_hash", "sessions", "_id", "__class__"}
HARMFUL: dict[str, Any] = {"role": "admin", "is_active": True, "id": 1, "owner_id": "{other}", "version": 7}
HARMFUL |= {"created_at": "2001-01-01T00:00:00.000000Z", "updated_at": "2001-01-01T00:00:00.000000Z"}


def forbidden_members(table: str, allowed: dict[str, Any]) -> list[str]:
    columns = {column.name for column in tables.metadata.tables[table].columns}
    return sorted(((columns | INVENTED) - allowed.keys()) | HARMFUL.keys())


async def assert_refused(api: Api, method: str, path: str, body: dict[str, Any], member: str) -> None:
    scene, headers = await given_scene(api, "owner")
    before = await stored(api.database)
    harmful = {**body, member: scene.filled(HARMFUL.get(member, "1"))}
    answer = await api.anonymous.request(method, scene.filled(path), json=harmful, headers=headers)
    assert _is_refusal_of(member, path, answer.status_code, answer.json()), answer.text
    assert await stored(api.database) == before


def _is_refusal_of(member: str, path: str, status: int, problem: dict[str, Any]) -> bool:
    """A field that only admins may set is forbidden; one that nobody may is no member at all."""
    if (path, member) in {("/users/me", "role"), ("/users/me", "is_active"), ("/items", "owner_id")}:
        return (status, problem["code"]) == (403, "forbidden")
    faults = [(fault["pointer"], fault["code"]) for fault in problem["errors"]]
    return (status, faults) == (422, [(f"/{member}", "unknown_member")])


@pytest.mark.parametrize("member", forbidden_members("users", SIGN_UP))
async def test_a_sign_up_takes_nothing_else(edge: Api, member: str) -> None:
    await assert_refused(edge, "POST", "/users", SIGN_UP, member)


@pytest.mark.parametrize("member", forbidden_members("users", {"username": "", "email": ""}))
async def test_a_member_changes_nothing_else_of_themselves(edge: Api, member: str) -> None:
    await assert_refused(edge, "PATCH", "/users/me", {"email": "new@example.org"}, member)


@pytest.mark.parametrize("member", forbidden_members("items", ITEM))
async def test_a_new_item_takes_nothing_else(edge: Api, member: str) -> None:
    await assert_refused(edge, "POST", "/items", ITEM, member)


@pytest.mark.parametrize("member", forbidden_members("items", ITEM))
async def test_a_change_of_an_item_takes_nothing_else(edge: Api, member: str) -> None:
    await assert_refused(edge, "PATCH", "/items/{item}", {"name": "Case"}, member)


@pytest.mark.parametrize("who", ["anonymous", "owner", "admin"])
async def test_whoever_signs_somebody_up_makes_an_active_member(api: Api, who: str) -> None:
    _, headers = await given_scene(api, who)
    made = (await api.anonymous.post("/users", json=SIGN_UP, headers=headers)).json()
    assert (made["role"], made["is_active"], made["version"]) == ("member", True, 1)
