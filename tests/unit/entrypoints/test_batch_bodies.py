"""The body of a batch: every fault of shape is told, where it is, and no more of them than anybody reads."""

from typing import Any

import pytest
from pydantic import ValidationError
from steward.domain.batch_operations import CreateItem, DeleteItem, TransferItem, UpdateItem
from steward.domain.errors import (
    Forbidden,
    InvalidValue,
    ItemNotFound,
    OperationFailed,
    StewardError,
    UnknownRecipient,
)
from steward.domain.items import ItemId, ToItem
from steward.domain.users import UserId
from steward.entrypoints.http.batch_schemas import BatchRequest

CREATE = {"op": "create", "item": {"name": "Box"}}


def faults(*operations: Any) -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        BatchRequest.model_validate({"operations": list(operations)})
    return [(fault["loc"][1:], fault["type"]) for fault in caught.value.errors()]


def test_each_operation_becomes_one_of_the_domains() -> None:
    body = BatchRequest.model_validate(
        {
            "operations": [
                CREATE,
                {"op": "create", "item": {"name": "Box", "description": "Oak", "quantity": 0, "owner_id": 7}},
                {"op": "update", "id": 1, "changes": {}},
                {"op": "update", "id": 1, "version": 2, "changes": {"description": None, "attributes": {"a": None}}},
                {"op": "delete", "id": 1},
                {"op": "delete", "id": 2**63 - 1, "version": 3},
                {"op": "transfer", "id": 1, "to": "bob"},
                {"op": "transfer", "id": 1, "to": {"user_id": 2}, "quantity": 3, "version": 4},
                {"op": "transfer", "id": 1, "to": {"item_id": 2}},
            ]
        }
    )
    assert body.as_operations() == [
        CreateItem(name="Box"),
        CreateItem(name="Box", description="Oak", quantity=0, owner_id=UserId(7)),
        UpdateItem(item_id=ItemId(1)),
        UpdateItem(item_id=ItemId(1), description=None, attributes={"a": None}, version=2),
        DeleteItem(item_id=ItemId(1)),
        DeleteItem(item_id=ItemId(2**63 - 1), version=3),
        TransferItem(item_id=ItemId(1), to="bob"),
        TransferItem(item_id=ItemId(1), to=UserId(2), quantity=3, version=4),
        TransferItem(item_id=ItemId(1), to=ToItem(ItemId(2))),
    ]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (None, [((), "dict_type")]),
        ("create", [((), "dict_type")]),
        ([CREATE], [((), "dict_type")]),
        ({}, [(("op",), "missing")]),
        ({"op": None, "nonsense": 1}, [(("op",), "unknown_operation")]),
        ({"op": "Create"}, [(("op",), "unknown_operation")]),
        ({"op": ["create"]}, [(("op",), "unknown_operation")]),
        ({"op": {"create": 1}}, [(("op",), "unknown_operation")]),
        ({"op": "create"}, [(("item",), "missing")]),
        ({"op": "create", "item": {}}, [(("item", "name"), "missing")]),
        ({**CREATE, "id": 1}, [(("id",), "extra_forbidden")]),
        ({**CREATE, "version": 1}, [(("version",), "extra_forbidden")]),
        (
            {"op": "create", "item": {"name": "", "size": 1}},
            [(("item", "name"), "too_short"), (("item", "size"), "extra_forbidden")],
        ),
        ({"op": "update", "id": 1}, [(("changes",), "missing")]),
        ({"op": "update", "id": 1, "changes": {"owner_id": 1}}, [(("changes", "owner_id"), "extra_forbidden")]),
        ({"op": "update", "id": 1, "changes": {"name": None}}, [(("changes", "name"), "string_type")]),
        ({"op": "delete"}, [(("id",), "missing")]),
        ({"op": "delete", "id": "1"}, [(("id",), "int_type")]),
        ({"op": "delete", "id": True}, [(("id",), "int_type")]),
        ({"op": "delete", "id": 0}, [(("id",), "greater_than_equal")]),
        ({"op": "delete", "id": 2**63}, [(("id",), "less_than_equal")]),
        ({"op": "delete", "id": 1, "version": None}, [(("version",), "int_type")]),
        ({"op": "delete", "id": 1, "version": 0}, [(("version",), "greater_than_equal")]),
        ({"op": "delete", "id": 1, "version": 2**63}, [(("version",), "less_than_equal")]),
        ({"op": "delete", "id": 1, "version": 1.0}, [(("version",), "int_type")]),
        ({"op": "transfer", "id": 1}, [(("to",), "missing")]),
        ({"op": "transfer", "id": 1, "to": "bob", "quantity": 0}, [(("quantity",), "greater_than_equal")]),
    ],
    ids=ascii,
)
def test_a_fault_is_told_where_it_is(operation: Any, expected: list[tuple[tuple[Any, ...], str]]) -> None:
    assert faults(CREATE, operation) == [((1, *path), code) for path, code in expected]


def test_the_way_into_attributes_is_told_to_its_end() -> None:
    with pytest.raises(ValidationError) as caught:
        BatchRequest.model_validate(
            {"operations": [{"op": "create", "item": {"name": "Box", "attributes": {"a": [{"{b}": 2**60}]}}}]}
        )
    (fault,) = caught.value.errors()
    assert fault["loc"] == ("operations", 0, "item", "attributes")
    assert fault["ctx"]["below"] == ("a", 0, "{b}")
    assert fault["msg"] == "Integers lie inside ±(2^53-1)"


def test_what_an_unknown_member_is_called_breaks_no_message() -> None:
    assert faults({**CREATE, "{detail} {0} %s": 1}) == [((0, "{detail} {0} %s"), "extra_forbidden")]


def test_the_faults_of_all_operations_are_told_together() -> None:
    assert faults({}, CREATE, {"op": "delete"}, CREATE, 5) == [
        ((0, "op"), "missing"),
        ((2, "id"), "missing"),
        ((4,), "dict_type"),
    ]


@pytest.mark.parametrize(
    ("given", "code"), [(None, "list_type"), ({}, "list_type"), ("[]", "list_type"), ([], "too_short")]
)
def test_the_operations_are_an_array_and_not_an_empty_one(given: Any, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BatchRequest.model_validate({"operations": given})
    assert [(fault["loc"], fault["type"]) for fault in caught.value.errors()] == [(("operations",), code)]


def test_of_too_many_operations_none_is_looked_at() -> None:
    assert faults(*[{}] * 1001) == [((), "too_long")]
    assert len(BatchRequest.model_validate({"operations": [CREATE] * 1000}).operations) == 1000


@pytest.mark.parametrize("each", [{}, {"op": "delete"}, {"op": "create", "item": {"a": 1, "b": 2, "c": 3}}])
def test_nothing_is_looked_at_when_more_faults_have_been_found_than_are_told(each: Any) -> None:
    one = len(faults(each))
    found = faults(*[each] * 1000)
    assert 100 < len(found) <= 100 + one


def test_of_one_operation_no_more_faults_are_kept_than_are_told_and_one() -> None:
    assert len(faults({**CREATE, **{f"unknown {number}": number for number in range(4000)}})) == 101


@pytest.mark.parametrize(
    ("index", "error", "code", "pointer", "rule"),
    [
        (
            0,
            InvalidValue("owner_id", "unknown_owner", "…"),
            "invalid_request",
            "/operations/0/item/owner_id",
            "unknown_owner",
        ),
        (0, Forbidden("…"), "forbidden", "/operations/0", "forbidden"),
        (
            1,
            InvalidValue(("attributes", "a/b"), "too_deep", "…"),
            "invalid_request",
            "/operations/1/changes/attributes/a~1b",
            "too_deep",
        ),
        (1, ItemNotFound(7), "item_not_found", "/operations/1", "item_not_found"),
        (2, ItemNotFound(7), "item_not_found", "/operations/2", "item_not_found"),
        (3, UnknownRecipient(), "unknown_recipient", "/operations/3/to", "unknown_recipient"),
    ],
)
def test_what_is_refused_is_pointed_at(index: int, error: StewardError, code: str, pointer: str, rule: str) -> None:
    body = BatchRequest.model_validate(
        {
            "operations": [
                CREATE,
                {"op": "update", "id": 7, "changes": {}},
                {"op": "delete", "id": 7},
                {"op": "transfer", "id": 7, "to": "bob"},
            ]
        }
    )
    problem = body.problem(OperationFailed(index, error))
    assert (problem.code, problem.detail) == (code, f"Operation {index}: {error}")
    (fault,) = problem.faults
    assert fault.as_json() == {"pointer": pointer, "code": rule, "detail": str(error)}
