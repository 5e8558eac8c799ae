"""`steward.client` covers the API: a new operation, parameter or member without its method fails here."""

import inspect
import json
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
import steward.client
from steward.client import AsyncClient, Client, ToUser
from steward.client.calls import Call, Operation
from steward.client.files import export_items
from steward.client.items import create_item, get_item, list_items, transfer_item, update_item
from steward.client.users import change_password, delete_user, list_users, register_user, update_user

from tests.support.http import Api

Json = dict[str, Any]

NOT_FOR_PROGRAMS = {"explain_problem", "get_metrics"}
NOW = datetime(2026, 11, 22, tzinfo=UTC)
FILTERS: Json = {
    "name": "Box",
    "q": "box",
    "min_quantity": 1,
    "max_quantity": 2,
    "created_after": NOW,
    "created_before": NOW,
    "sort": "name",
    "with_owner": True,
    "page_size": 10,
}
MEMBERS: Json = {"name": "Box", "description": None, "quantity": 1, "attributes": {}}

# Each with all that it takes.
CALLS: list[Call[Any]] = [
    register_user(username="ada", email="ada@example.org", password="correct horse"),
    list_users(q="ada", role="admin", is_active=True, sort="id", page_size=10).page("cursor", count=True),
    update_user(7, username="ada", email="ada@example.org", role="member", is_active=True),
    change_password(current_password="correct horse", new_password="battery staple"),
    delete_user(7, items_to=8),
    create_item(owner=7, **MEMBERS),
    get_item(7, with_owner=True),
    list_items(**FILTERS).page("cursor", count=True),
    list_items(owner=7, **FILTERS).page("cursor", count=True),
    update_item(7, **MEMBERS),
    transfer_item(7, ToUser(8), quantity=1),
    export_items("csv"),
]
# An owner's items are asked for under the owner's path.
ASKED_OTHERWISE = {"list_items": {"owner_id"}}


def operations_of_the_client() -> Iterator[Operation]:
    for module in pkgutil.iter_modules(steward.client.__path__, "steward.client."):
        yield from (each for each in vars(import_module(module.name)).values() if isinstance(each, Operation))


async def test_every_operation_has_its_call(edge: Api) -> None:
    documented = {
        (operation["operationId"], method, path)
        for method, path, operation in edge.document.operations()
        if operation["operationId"] not in NOT_FOR_PROGRAMS
    }
    assert {(each.id, each.method, each.path) for each in operations_of_the_client()} == documented


async def test_a_key_is_sent_wherever_one_is_taken(edge: Api) -> None:
    keyed = {
        operation["operationId"]
        for _, _, operation in edge.document.operations()
        if "Idempotency-Key" in {each["name"] for each in operation["parameters"]}
    }
    assert {each.id for each in operations_of_the_client() if each.keyed} == keyed


def test_what_only_reads_may_always_be_repeated() -> None:
    reading = {each.id for each in operations_of_the_client() if each.method == "GET"}
    assert reading == {each.id for each in operations_of_the_client() if each.harmless and each.method == "GET"}
    assert {each.id for each in operations_of_the_client() if each.harmless} - reading == {"issue_token", "log_out"}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation.id)
async def test_every_parameter_and_member_can_be_given(edge: Api, call: Call[Any]) -> None:
    operation = edge.document.operation(call.operation.method, call.path)
    assert operation is not None
    asked_otherwise = ASKED_OTHERWISE.get(call.operation.id, set())
    documented = {each["name"] for each in operation["parameters"] if each["in"] == "query"} - asked_otherwise
    assert call.query.keys() == documented
    if isinstance(call.body, bytes):
        content = operation["requestBody"]["content"][call.headers["Content-Type"]]
        schema = edge.document.resolved(content["schema"])
        assert json.loads(call.body).keys() == schema["properties"].keys()


def methods(of: object) -> Json:
    """With their parameters, those of the parts included."""
    found: Json = {}
    for name in {name for name in [*dir(type(of)), *vars(of)] if name[0] != "_"}:
        member = getattr(of, name)
        if callable(member):
            found[name.removeprefix("a") if name == "aclose" else name] = list(inspect.signature(member).parameters)
        else:
            found |= {f"{name}.{method}": parameters for method, parameters in methods(member).items()}
    return found


async def test_both_clients_have_the_same_methods() -> None:
    async with AsyncClient("http://127.0.0.1:1") as asynchronous:
        with Client("http://127.0.0.1:1") as blocking:
            assert methods(asynchronous) == methods(blocking)
            assert methods(blocking)["items.create"][:2] == ["name", "description"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_method_says_what_it_does(kind: type[Client | AsyncClient]) -> None:
    client = kind("http://127.0.0.1:1")
    for part in (client, client.users, client.items, client.sessions):
        names = {name for name in [*dir(type(part)), *vars(part)] if name[0] != "_"}
        assert [name for name in names if callable(getattr(part, name)) and not getattr(part, name).__doc__] == []
