"""Items and their rules."""

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from steward.domain.errors import InsufficientQuantity, InvalidValue, QuantityOverflow
from steward.domain.items import MAX_QUANTITY, Item, ItemId, NewItem, check_description, check_name, check_quantity
from steward.domain.pages import check_limit
from steward.domain.users import UserId

CREATED = datetime(2026, 11, 22, 1, 18, 0, 123456, tzinfo=UTC)
LATER = CREATED + timedelta(seconds=1)
ADA, BOB = UserId(1), UserId(2)


def box(**fields: Any) -> Item:
    given: dict[str, Any] = {
        "id": ItemId(7),
        "owner_id": ADA,
        "name": "Box",
        "description": "Oak",
        "quantity": 3,
        "attributes": {"size": 1, "tags": ["a", {"b": None}], "colour": {"r": 1, "g": 2}},
        "created_at": CREATED,
        "updated_at": CREATED,
        "version": 1,
    }
    return Item(**{**given, **fields})


def refusal(call: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(InvalidValue) as caught:
        call(*arguments, **named)
    return caught.value.field, caught.value.rule


def test_a_name_has_1_to_200_characters_on_one_line() -> None:
    assert check_name("B") == "B"
    assert check_name("ß" * 200) == "ß" * 200
    assert refusal(check_name, "") == ("name", "too_short")
    assert refusal(check_name, "B" * 201) == ("name", "too_long")
    assert refusal(check_name, "Box\nLid") == ("name", "control_character")
    assert refusal(check_name, None) == ("name", "string_type")


def test_a_name_is_kept_as_it_was_typed() -> None:
    assert check_name("e\u0301") == "e\u0301"
    assert check_name(" ") == " "


def test_a_description_has_up_to_10_000_characters_on_many_lines_or_is_null() -> None:
    assert check_description(None) is None
    assert check_description("") == ""
    assert check_description("x\r\n" * 3333 + "x") == "x\r\n" * 3333 + "x"
    assert refusal(check_description, "x" * 10_001) == ("description", "too_long")
    assert refusal(check_description, "a\0b") == ("description", "control_character")
    assert refusal(check_description, "a\ud800b") == ("description", "unpaired_surrogate")
    assert refusal(check_description, 7) == ("description", "string_type")


def test_a_quantity_is_0_to_2_31_minus_1() -> None:
    assert check_quantity(0) == 0
    assert check_quantity(2**31 - 1) == MAX_QUANTITY == 2147483647
    assert refusal(check_quantity, -1) == ("quantity", "greater_than_equal")
    assert refusal(check_quantity, 2**31) == ("quantity", "less_than_equal")
    assert refusal(check_quantity, 0, least=1) == ("quantity", "greater_than_equal")


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None])
def test_a_quantity_is_an_integer_and_nothing_like_it(value: Any) -> None:
    assert refusal(check_quantity, value) == ("quantity", "int_type")


@pytest.mark.parametrize(
    ("limit", "rule"), [(0, "greater_than_equal"), (-1, "greater_than_equal"), (True, "int_type"), ("1", "int_type")]
)
def test_a_page_holds_at_least_one(limit: Any, rule: str) -> None:
    assert check_limit(1) == 1
    assert refusal(check_limit, limit) == ("limit", rule)


def test_a_new_item_is_one_of_its_kind_without_more_unless_said_otherwise() -> None:
    assert NewItem.of(owner_id=ADA, name="Box") == NewItem(ADA, "Box", None, 1, {})


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"description": "\0"}, {"quantity": -1}, {"attributes": {"a": float("nan")}}]
)
def test_a_new_item_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    (field,) = wrong
    assert refusal(NewItem.of, **{"owner_id": ADA, "name": "Box", **wrong})[0].startswith(field)


def test_a_new_item_shares_nothing_with_what_it_was_made_from() -> None:
    given: dict[str, Any] = {"tags": ["a"]}
    new = NewItem.of(owner_id=ADA, name="Box", attributes=given)
    given["tags"].append("b")
    assert new.attributes == {"tags": ["a"]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "Lid"}, {"name": "Lid"}),
        ({"description": None}, {"description": None}),
        ({"description": ""}, {"description": ""}),
        ({"quantity": 0}, {"quantity": 0}),
        ({"attributes": {"size": None}}, {"attributes": {"tags": ["a", {"b": None}], "colour": {"r": 1, "g": 2}}}),
        (
            {"attributes": {"colour": {"g": None, "b": 3}}},
            {"attributes": {"size": 1, "tags": ["a", {"b": None}], "colour": {"r": 1, "b": 3}}},
        ),
    ],
)
def test_a_change_changes_what_is_given_and_the_time(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    item = box()
    assert item.change(at=LATER, **changes) is True
    assert item == box(**expected, updated_at=LATER)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "Box", "description": "Oak", "quantity": 3},
        {"attributes": {}},
        {"attributes": {"size": 1}},
        {"attributes": {"absent": None}},
        {"attributes": {"colour": {"g": 2}, "size": 1}},
        {"attributes": {"tags": ("a", {"b": None})}},
    ],
)
def test_a_change_of_nothing_says_so_and_keeps_the_time(changes: dict[str, Any]) -> None:
    item = box()
    assert item.change(at=LATER, **changes) is False
    assert item == box()


@pytest.mark.parametrize("value", [True, 1.0])
def test_numbers_and_booleans_that_python_takes_for_equal_are_a_change(value: object) -> None:
    item = box(attributes={"size": 1})
    assert item.change(at=LATER, attributes={"size": value}) is True
    assert repr(item.attributes) == repr({"size": value})


def test_another_order_of_members_is_a_change() -> None:
    item = box(attributes={"list": [{"a": 1, "b": 2}]})
    assert item.change(at=LATER, attributes={"list": [{"b": 2, "a": 1}]}) is True
    assert list(item.attributes["list"][0]) == ["b", "a"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"description": "\0"},
        {"quantity": -1},
        {"quantity": None},
        {"attributes": None},
        {"attributes": {"a": "x" * 17_000}},
    ],
)
def test_a_refused_change_changes_nothing_at_all(wrong: dict[str, Any]) -> None:
    item = box()
    with pytest.raises(InvalidValue):
        item.change(at=LATER, name="Lid", **wrong)
    assert item == box()


def test_null_does_not_clear_a_name() -> None:
    assert refusal(box().change, at=LATER, name=None) == ("name", "string_type")


def test_all_can_be_taken_and_no_more() -> None:
    item = box()
    item.take(3, at=LATER)
    assert item == box(quantity=0, updated_at=LATER)
    with pytest.raises(InsufficientQuantity, match="1 wanted, but there are 0"):
        item.take(1, at=LATER)
    assert item.quantity == 0


def test_an_item_can_be_filled_up_to_the_limit_and_no_more() -> None:
    item = box()
    item.put(MAX_QUANTITY - 3, at=LATER)
    assert item == box(quantity=MAX_QUANTITY, updated_at=LATER)
    with pytest.raises(QuantityOverflow):
        item.put(1, at=LATER)
    assert item.quantity == MAX_QUANTITY


def test_handing_over_changes_the_owner_and_the_time_alone() -> None:
    item = box()
    item.hand_to(BOB, at=LATER)
    assert item == box(owner_id=BOB, updated_at=LATER)


def test_a_part_is_alike_but_for_owner_and_quantity_and_shares_nothing() -> None:
    item = box()
    part = NewItem.split_from(item, owner_id=BOB, quantity=2)
    part.attributes["tags"].append("new")
    assert (part.owner_id, part.name, part.description, part.quantity) == (BOB, "Box", "Oak", 2)
    assert item == box()


def test_items_survive_pickle_and_copy() -> None:
    assert pickle.loads(pickle.dumps(box())) == copy.deepcopy(box()) == copy.copy(box()) == box()
