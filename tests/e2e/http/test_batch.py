"""What clients can do with a batch."""

import json
from typing import Any

import httpx2
import pytest

from tests.support.http import Api, faults_of, problem_of, serving

CREATE = {"op": "create", "item": {"name": "Lid"}}
Item = dict[str, Any]


async def post(api: Api, *operations: Any, by: dict[str, str] | None = None, query: str = "") -> httpx2.Response:
    client = api.client if by is None else api.anonymous
    content = json.dumps({"operations": operations})
    headers = {"Content-Type": "application/json", **(by or {})}
    return await client.post(f"/items/batch{query}", content=content, headers=headers)


async def items_of(api: Api, owner: dict[str, Any]) -> list[Item]:
    page: list[Item] = (await api.client.get(f"/users/{owner['id']}/items", params={"sort": "id"})).json()["data"]
    return page


async def test_the_results_stand_in_the_order_of_the_operations(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    box, lid = await api.item(ada["id"], quantity=9), await api.item(ada["id"])
    crate, gift = await api.item(ada["id"]), await api.item(ada["id"])
    answer = await post(
        api,
        {"op": "create", "item": {"name": "Bag", "owner_id": ada["id"], "attributes": {"z": 1, "a": [None]}}},
        {"op": "update", "id": box["id"], "version": 1, "changes": {"name": "Chest", "description": None}},
        {"op": "transfer", "id": box["id"], "version": 2, "to": bob["username"], "quantity": 2},
        {"op": "transfer", "id": box["id"], "to": {"item_id": crate["id"]}, "quantity": 3},
        {"op": "transfer", "id": gift["id"], "to": {"user_id": bob["id"]}},
        {"op": "delete", "id": lid["id"]},
    )
    (received, part), (chest, full, bag) = await items_of(api, bob), await items_of(api, ada)
    assert answer.json() == {
        "results": [
            {"op": "create", "id": bag["id"], "version": 1},
            {"op": "update", "id": box["id"], "version": 2},
            {"op": "transfer", "id": box["id"], "version": 3, "received_id": part["id"]},
            {"op": "transfer", "id": box["id"], "version": 4},
            {"op": "transfer", "id": gift["id"], "version": 2},
            {"op": "delete", "id": lid["id"], "version": None},
        ]
    }
    shown = [(each["name"], each["quantity"], each["version"]) for each in (chest, full, bag, part, received)]
    assert shown == [("Chest", 4, 4), ("Box", 4, 2), ("Bag", 1, 1), ("Chest", 2, 1), ("Box", 1, 2)]
    assert json.dumps(bag["attributes"]) == '{"z": 1, "a": [null]}'


@pytest.mark.parametrize(
    ("wrong", "problem", "fault"),
    [
        ({"op": "create", "item": {"name": "Lid", "owner_id": 2**62}}, (403, "forbidden"), ("", "forbidden")),
        ({"op": "update", "id": 2**62, "changes": {}}, (404, "item_not_found"), ("", "item_not_found")),
        (
            {"op": "update", "id": "{box}", "version": 7, "changes": {}},
            (412, "version_mismatch"),
            ("", "version_mismatch"),
        ),
        (
            {"op": "update", "id": "{box}", "changes": {"attributes": {"b": "x" * 9000}}},
            (422, "invalid_request"),
            ("/changes/attributes", "too_large"),
        ),
        ({"op": "delete", "id": "{box}", "version": 7}, (412, "version_mismatch"), ("", "version_mismatch")),
        ({"op": "delete", "id": 2**62}, (404, "item_not_found"), ("", "item_not_found")),
        ({"op": "transfer", "id": "{box}", "to": "nobody"}, (422, "unknown_recipient"), ("/to", "unknown_recipient")),
        (
            {"op": "transfer", "id": "{box}", "to": {"item_id": 2**62}},
            (422, "unknown_recipient"),
            ("/to", "unknown_recipient"),
        ),
        ({"op": "transfer", "id": "{box}", "to": {"item_id": "{box}"}}, (422, "same_item"), ("/to", "same_item")),
        (
            {"op": "transfer", "id": "{box}", "to": {"item_id": "{full}"}, "quantity": 4},
            (409, "insufficient_quantity"),
            ("", "insufficient_quantity"),
        ),
        (
            {"op": "transfer", "id": "{box}", "to": {"item_id": "{full}"}},
            (409, "quantity_overflow"),
            ("", "quantity_overflow"),
        ),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
async def test_a_refusal_points_at_its_operation_and_nothing_is_stored(
    api: Api, wrong: dict[str, Any], problem: tuple[int, str], fault: tuple[str, str]
) -> None:
    ada = await api.user()
    as_ada = await api.bearer(ada["id"])
    box = await api.item(ada["id"], quantity=3, attributes={"a": "x" * 9000})
    full = await api.item(ada["id"], quantity=2**31 - 1)
    filled = json.loads(json.dumps(wrong).replace('"{box}"', str(box["id"])).replace('"{full}"', str(full["id"])))
    operations = [CREATE, CREATE, {"op": "update", "id": full["id"], "changes": {"name": "Case"}}, CREATE]
    for position in range(len(operations) + 1):
        answer = await post(api, *operations[:position], filled, *operations[position:], by=as_ada)
        assert problem_of(answer) == problem
        (told,) = answer.json()["errors"]
        assert (told["pointer"], told["code"]) == (f"/operations/{position}{fault[0]}", fault[1])
        assert answer.json()["detail"] == f"Operation {position}: {told['detail']}"
    assert await items_of(api, ada) == [box, full]


async def test_an_owner_who_is_not_there_is_found_among_neighbouring_creations(api: Api) -> None:
    ada = await api.user()
    mine = {"op": "create", "item": {"name": "Lid", "owner_id": ada["id"]}}
    strangers = {"op": "create", "item": {"name": "Lid", "owner_id": 2**62}}
    answer = await post(api, mine, mine, strangers, mine, strangers)
    assert faults_of(answer) == [("/operations/2/item/owner_id", "unknown_owner")]
    assert await items_of(api, ada) == []


async def test_the_faults_of_shape_are_told_together_with_those_of_the_query(edge: Api) -> None:
    answer = await post(
        edge,
        {"op": "paint"},
        CREATE,
        {"op": "create", "item": {"name": "", "attributes": {"a/b": {"~": 2**60}}, "x": 1}},
        {"op": "transfer", "id": 1, "to": {"user_id": "7"}},
        {"op": "transfer", "id": 1, "to": "\ud800"},
        {"op": "update", "id": None, "changes": {"quantity": -1}},
        query="?dry_run=true",
    )
    assert faults_of(answer) == [
        ("dry_run", "unknown_parameter"),
        ("/operations/0/op", "unknown_operation"),
        ("/operations/2/item/name", "too_short"),
        ("/operations/2/item/attributes/a~1b/~0", "integer_out_of_range"),
        ("/operations/2/item/x", "unknown_member"),
        ("/operations/3/to/user_id", "int_type"),
        ("/operations/4/to", "unpaired_surrogate"),
        ("/operations/5/id", "int_type"),
        ("/operations/5/changes/quantity", "greater_than_equal"),
    ]
    assert answer.json()["detail"] == "The request has 9 faults"


async def test_of_many_faults_the_first_hundred_are_told(edge: Api) -> None:
    answer = await post(edge, *[{"op": "delete"}] * 100)
    assert answer.json()["detail"] == "The request has 100 faults"
    assert len(faults_of(answer)) == 100
    answer = await post(edge, *[{"op": "delete"}] * 1000)
    assert answer.json()["detail"] == "The request has more than 100 faults: these are the first"
    assert faults_of(answer) == [(f"/operations/{number}/id", "missing") for number in range(100)]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("/operations", "missing")]),
        ({"operations": None}, [("/operations", "list_type")]),
        ({"operations": []}, [("/operations", "too_short")]),
        ({"operations": [CREATE] * 1001}, [("/operations", "too_long")]),
        ({"operations": [CREATE], "atomic": False}, [("/atomic", "unknown_member")]),
        ([CREATE], [("", "object_type")]),
    ],
    ids=["nothing", "null", "empty", "too many", "unknown member", "no object"],
)
async def test_a_batch_has_one_to_a_thousand_operations(edge: Api, body: Any, faults: list[tuple[str, str]]) -> None:
    assert faults_of(await edge.client.post("/items/batch", json=body)) == faults


async def test_no_item_is_called_batch(edge: Api) -> None:
    for path in ("/items/batch", "/items/batch/"):
        for method in ("GET", "HEAD", "PATCH", "DELETE", "PUT", "TRACE"):
            answer = await edge.client.request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
        asked = await edge.client.options(path)
        assert (asked.status_code, asked.headers["Allow"]) == (204, "OPTIONS, POST")
        assert "Accept-Patch" not in asked.headers
    assert (await edge.client.post("/items/batch/", json={"operations": [CREATE]})).status_code == 200
    assert faults_of(await edge.client.get("/items/batches")) == [("item_id", "id")]


async def test_a_batch_may_be_larger_than_other_bodies(sqlite_url: str) -> None:
    async with serving(sqlite_url, max_body_size=5_000, max_batch_body_size=20_000) as api:
        long = {"op": "create", "item": {"name": "Lid", "description": "x" * 9_000}}
        assert (await post(api, long, CREATE)).status_code == 200
        assert problem_of(await post(api, long, long, long)) == (413, "body_too_large")
        assert problem_of(await api.client.post("/items", json=long["item"])) == (413, "body_too_large")


async def test_where_versions_have_to_be_named_a_batch_names_them_itself(sqlite_url: str) -> None:
    async with serving(sqlite_url, require_if_match=True) as api:
        box = await api.item((await api.user())["id"])
        for operation in (
            {"op": "update", "id": box["id"], "changes": {}},
            {"op": "delete", "id": box["id"]},
            {"op": "transfer", "id": box["id"], "to": "admin"},
        ):
            answer = await post(api, CREATE, operation)
            assert problem_of(answer) == (428, "precondition_required")
            assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/operations/1"]
        assert problem_of(await post(api, {"op": "delete", "id": 2**62})) == (404, "item_not_found")
        assert (await post(api, {"op": "delete", "id": box["id"], "version": 1}, CREATE)).status_code == 200


async def test_transfers_to_nobody_count_in_a_batch_as_they_do_alone(sqlite_url: str) -> None:
    async with serving(sqlite_url, rate_limits=True, rate_limit_recipient="3/1h") as api:
        ada, bob = await api.user(), await api.user()
        as_ada = await api.bearer(ada["id"])
        box, lid = await api.item(ada["id"], quantity=50), await api.item(ada["id"])
        gone = {"op": "delete", "id": 2**62}

        def transfer(to: object) -> dict[str, Any]:
            return {"op": "transfer", "id": box["id"], "to": to, "quantity": 1}

        for _ in range(4):  # what is not about a recipient counts for nothing
            assert problem_of(await post(api, transfer(bob["username"]), gone, by=as_ada)) == (404, "item_not_found")
            assert (await post(api, transfer(bob["username"]), by=as_ada)).status_code == 200
        for _ in range(3):
            answer = await post(api, CREATE, transfer("nobody"), by=as_ada)
            assert faults_of(answer) == [("/operations/1/to", "unknown_recipient")]
        for to in ("nobody", bob["username"], {"user_id": bob["id"]}):
            limited = await post(api, CREATE, transfer(to), by=as_ada)
            assert problem_of(limited) == (429, "rate_limited")
        alone = await api.anonymous.post(f"/items/{box['id']}/transfer", json={"to": "nobody"}, headers=as_ada)
        assert problem_of(alone) == (429, "rate_limited")
        assert (await post(api, CREATE, transfer({"item_id": lid["id"]}), by=as_ada)).status_code == 200
        assert faults_of(await post(api, transfer("nobody"))) == [("/operations/0/to", "unknown_recipient")]
        assert len(await items_of(api, ada)) == 3


async def test_a_repeated_batch_with_an_idempotency_key_is_done_once(api: Api) -> None:
    ada = await api.user()
    key = {"Idempotency-Key": "11f2b8c2", **await api.bearer(ada["id"])}
    wrong = {"op": "delete", "id": 2**62}
    assert (await post(api, CREATE, wrong, by=key)).status_code == 404
    first, again = await post(api, CREATE, CREATE, by=key), await post(api, CREATE, CREATE, by=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert [item["id"] for item in await items_of(api, ada)] == [each["id"] for each in first.json()["results"]]
    assert problem_of(await post(api, CREATE, by=key)) == (422, "idempotency_key_reused")


async def test_a_batch_has_a_deadline_of_its_own(api: Api, url_of_module: str) -> None:
    async with serving(url_of_module, batch_timeout=1e-9) as hurried:
        box = await hurried.item((await hurried.user())["id"])
        answer = await post(hurried, {"op": "delete", "id": box["id"]})
        assert problem_of(answer) == (503, "deadline_exceeded")
        assert (await hurried.client.get(f"/items/{box['id']}")).json() == box
