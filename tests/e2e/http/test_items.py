"""What clients can do with items."""

import json
from typing import Any

import pytest

from tests.support.http import Api, faults_of, problem_of


async def test_an_item_has_sensible_defaults(api: Api) -> None:
    ada = await api.user()
    made = await api.client.post("/items", json={"owner_id": ada["id"], "name": "Box"})
    item = made.json()
    assert made.headers["Location"] == f"/items/{item['id']}"
    assert made.headers["ETag"] == f'"{item["id"]}-1"'
    assert (item["description"], item["quantity"], item["attributes"], item["version"]) == (None, 1, {}, 1)
    assert (await api.client.get(made.headers["Location"])).json() == item


async def test_an_item_is_its_makers_unless_an_admin_says_whose(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    as_ada = await api.bearer(ada["id"])
    for body in ({"name": "Box"}, {"name": "Box", "owner_id": ada["id"]}):
        made = await api.client.post("/items", json=body, headers=as_ada)
        assert (made.status_code, made.json()["owner_id"]) == (201, ada["id"])
    refused = await api.client.post("/items", json={"name": "Box", "owner_id": bob["id"]}, headers=as_ada)
    assert problem_of(refused) == (403, "forbidden")
    admins = (await api.client.post("/items", json={"name": "Box"})).json()
    assert admins["owner_id"] == (await api.client.get("/users/me")).json()["id"]


async def test_attributes_come_back_as_they_were_sent(api: Api) -> None:
    ada = await api.user()
    sent = '{"z":1,"a":{"ü":[1.0,1,true,null,-0.5,9007199254740991]},"":"","1":"𝄞\\u2028"}'
    made = await api.client.post(
        "/items",
        content=f'{{"owner_id":{ada["id"]},"name":"Box","attributes":{sent}}}',
        headers={"Content-Type": "application/json"},
    )
    shown = await api.client.get(made.headers["Location"])
    assert f'"attributes":{sent}'.replace("\\u2028", "\u2028") in shown.text


async def test_an_expanded_item_shows_its_owner_and_has_no_etag(api: Api) -> None:
    ada = await api.user()
    box = await api.item(ada["id"])
    shown = await api.client.get(f"/items/{box['id']}?expand=owner")
    assert shown.json() == box | {"owner": {"id": ada["id"], "username": ada["username"]}}
    assert "ETag" not in shown.headers
    for path in ("/items", f"/users/{ada['id']}/items"):
        page = (await api.client.get(path, params={"expand": "owner", "limit": 1})).json()
        assert page["data"] == [box | {"owner": {"id": ada["id"], "username": ada["username"]}}]


async def test_items_can_be_listed_by_owner(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    hers, his = await api.item(ada["id"]), await api.item(bob["id"])
    assert (await api.client.get("/items")).json()["data"][:2] == [his, hers]
    assert (await api.client.get("/items", params={"owner_id": ada["id"]})).json()["data"] == [hers]
    assert (await api.client.get("/items", params={"owner_id": 4711})).json()["data"] == []


async def test_who_is_no_admin_lists_what_is_theirs(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    hers, _ = await api.item(ada["id"]), await api.item(bob["id"])
    as_ada = await api.bearer(ada["id"])
    for path in ("/items", f"/items?owner_id={ada['id']}"):
        assert (await api.client.get(path, headers=as_ada)).json()["data"] == [hers]
    others = await api.client.get("/items", params={"owner_id": bob["id"]}, headers=as_ada)
    assert problem_of(others) == (404, "user_not_found")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/merge-patch+json", "Application/JSON; charset=utf-8"]
)
async def test_a_patch_is_a_merge_patch_by_either_name(api: Api, kind: str) -> None:
    ada = await api.user()
    box = await api.item(ada["id"], description="Oak", attributes={"keep": 1, "drop": 2, "deep": {"a": 1, "b": 2}})
    patch = {"description": None, "attributes": {"drop": None, "deep": {"b": 3}, "new": [None]}}
    changed = await api.client.patch(f"/items/{box['id']}", content=json.dumps(patch), headers={"Content-Type": kind})
    after = changed.json()
    assert after["description"] is None
    assert after["attributes"] == {"keep": 1, "deep": {"a": 1, "b": 3}, "new": [None]}
    assert (after["name"], after["quantity"], after["version"]) == ("Box", 1, 2)
    assert changed.headers["ETag"] == f'"{box["id"]}-2"'


async def test_a_patch_of_nothing_changes_nothing(api: Api) -> None:
    box = await api.item((await api.user())["id"], attributes={"a": 1})
    patches: list[dict[str, Any]] = [{}, {"name": "Box"}, {"attributes": {}}, {"attributes": {"a": 1, "absent": None}}]
    for nothing in patches:
        assert (await api.client.patch(f"/items/{box['id']}", json=nothing)).json() == box


async def test_null_clears_what_can_be_empty_alone(edge: Api) -> None:
    everything = {"name": None, "description": None, "quantity": None, "attributes": None}
    answer = await edge.client.patch("/items/1", json=everything)
    assert faults_of(answer) == [
        ("/name", "string_type"),
        ("/quantity", "int_type"),
        ("/attributes", "object_type"),
    ]


async def test_a_patch_may_take_more_away_than_an_item_can_hold(api: Api) -> None:
    box = await api.item((await api.user())["id"], attributes={"a": 1})
    path = f"/items/{box['id']}"
    many = {f"{'name' * 10}{number}": None for number in range(400)}
    assert (await api.client.patch(path, json={"attributes": many})).json() == box
    refused = await api.client.patch(path, json={"attributes": {"a": "x" * 17_000}})
    assert faults_of(refused) == [("/attributes", "too_large")]


async def test_a_deleted_item_is_gone(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    path = f"/items/{box['id']}"
    assert (await api.client.delete(path)).status_code == 204
    assert problem_of(await api.client.delete(path)) == (404, "item_not_found")
    assert problem_of(await api.client.get(path)) == (404, "item_not_found")


async def test_all_of_an_item_moves_to_a_user(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    box = await api.item(ada["id"], quantity=3)
    as_ada = await api.bearer(ada["id"])
    body = {"to": bob["username"].upper()}
    moved = (await api.client.post(f"/items/{box['id']}/transfer", json=body, headers=as_ada)).json()
    assert moved["item"] is None
    assert moved["received"] | {"updated_at": box["updated_at"]} == box | {"owner_id": bob["id"], "version": 2}
    assert problem_of(await api.client.get(f"/items/{box['id']}", headers=as_ada)) == (404, "item_not_found")


async def test_a_part_of_an_item_is_split_off(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    box = await api.item(ada["id"], quantity=3, description="Oak", attributes={"a": 1})
    body = {"to": {"user_id": bob["id"]}, "quantity": 1}
    split = (await api.client.post(f"/items/{box['id']}/transfer", json=body)).json()
    assert (split["item"]["id"], split["item"]["quantity"]) == (box["id"], 2)
    received = split["received"]
    assert (received["owner_id"], received["quantity"], received["version"]) == (bob["id"], 1, 1)
    assert (received["name"], received["description"], received["attributes"]) == ("Box", "Oak", {"a": 1})


async def test_an_item_takes_up_another(api: Api) -> None:
    ada = await api.user()
    giver, taker = await api.item(ada["id"], quantity=3), await api.item(ada["id"], quantity=4)
    body = {"to": {"item_id": taker["id"]}}
    both = (await api.client.post(f"/items/{giver['id']}/transfer", json=body)).json()
    assert (both["item"]["quantity"], both["received"]["quantity"]) == (0, 7)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("/to", "missing")]),
        ({"to": None}, [("/to", "string_type")]),
        ({"to": 5}, [("/to", "string_type")]),
        ({"to": {}}, [("/to/user_id", "missing")]),
        ({"to": {"user_id": 1, "item_id": 1}}, [("/to/user_id", "unknown_member")]),
        ({"to": {"item_id": 2**63}}, [("/to/item_id", "less_than_equal")]),
        ({"to": "", "quantity": 0}, [("/quantity", "greater_than_equal")]),
        ({"to": "bob", "quantity": None}, [("/quantity", "int_type")]),
        ({"to": "a\0b"}, [("/to", "control_character")]),
        ({"to": "\ud800"}, [("/to", "unpaired_surrogate")]),
        ({"to": "x" * 257}, [("/to", "too_long")]),
    ],
)
async def test_a_transfer_names_one_recipient(edge: Api, body: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    content, headers = json.dumps(body), {"Content-Type": "application/json"}
    assert faults_of(await edge.client.post("/items/1/transfer", content=content, headers=headers)) == faults


@pytest.mark.parametrize("name", ["nobody", "", "a b", "x" * 256])
async def test_whatever_is_no_username_is_an_unknown_recipient(edge: Api, name: str) -> None:
    box = await edge.item((await edge.user())["id"])
    answer = await edge.client.post(f"/items/{box['id']}/transfer", json={"to": name})
    assert faults_of(answer) == [("/to", "unknown_recipient")]
    assert problem_of(answer) == (422, "unknown_recipient")
