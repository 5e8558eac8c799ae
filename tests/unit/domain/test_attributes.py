"""The bounds of `attributes`."""

import json
import math
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from steward.domain.attributes import MAX_BYTES, as_json, check_attributes, patch_attributes
from steward.domain.errors import InvalidValue

CONTROLS = [chr(code) for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r"]
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=20)
)
NAMES = st.text(CHARACTERS, max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)


def refusal(value: Any) -> tuple[str, str]:
    with pytest.raises(InvalidValue) as caught:
        check_attributes(value)
    return caught.value.field, caught.value.rule


def nested(levels: int, innermost: Any, *, arrays: bool = False) -> dict[str, Any]:
    """An object of so many levels, itself the first; below it objects or arrays."""
    value = innermost
    for _ in range(levels - 1):
        value = [value] if arrays else {"a": value}
    return {"a": value}


@pytest.mark.parametrize("value", [None, [], "{}", 1, True, [("a", 1)]])
def test_attributes_are_an_object(value: object) -> None:
    assert refusal(value) == ("attributes", "object_type")


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1 + 2j, range(3)])
def test_members_are_json_values(value: object) -> None:
    assert refusal({"a": [value]}) == ("attributes.a.0", "json_type")


@pytest.mark.parametrize("name", [1, None, True])
def test_names_of_members_are_strings(name: object) -> None:
    assert refusal({"a": {name: 1}}) == ("attributes.a", "member_name")


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0, 1.7976931348623157e308, 5e-324, -0.0])
def test_numbers_that_every_reader_keeps_pass(number: float) -> None:
    assert repr(check_attributes({"a": number})) == repr({"a": number})


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**400])
def test_integers_beyond_the_safe_ones_are_refused(number: int) -> None:
    assert refusal({"a": number}) == ("attributes.a", "integer_out_of_range")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_refused(number: float) -> None:
    assert refusal({"a": [1, number]}) == ("attributes.a.1", "finite_number")


def test_booleans_stay_booleans_and_integers_integers() -> None:
    assert as_json(check_attributes({"a": [True, 1, 1.0, False, 0]})) == '{"a":[true,1,1.0,false,0]}'


@pytest.mark.parametrize("arrays", [False, True])
def test_eight_levels_pass_and_nine_do_not(arrays: bool) -> None:
    assert check_attributes(nested(8, 1, arrays=arrays)) == nested(8, 1, arrays=arrays)
    assert check_attributes(nested(7, {}, arrays=arrays))
    assert refusal(nested(9, 1, arrays=arrays))[1] == "too_deep"
    assert refusal(nested(8, {}, arrays=arrays))[1] == "too_deep"
    assert refusal(nested(8, [], arrays=arrays))[1] == "too_deep"


def test_a_depth_that_would_exhaust_the_stack_is_refused() -> None:
    assert refusal(nested(100_000, 1))[1] == "too_deep"


def test_16_kib_of_compact_json_pass_and_one_byte_more_does_not() -> None:
    frame = len('{"a":""}')
    assert check_attributes({"a": "x" * (MAX_BYTES - frame)})
    assert refusal({"a": "x" * (MAX_BYTES - frame + 1)}) == ("attributes", "too_large")


def test_size_is_counted_in_bytes_of_utf_8() -> None:
    frame = len('{"a":""}')
    assert check_attributes({"a": "🐘" * ((MAX_BYTES - frame) // 4)})
    assert refusal({"a": "🐘" * (MAX_BYTES // 4)}) == ("attributes", "too_large")


def test_text_holds_no_controls_and_no_unpaired_surrogates_in_names_and_in_values() -> None:
    for character in [*CONTROLS, "\ud800"]:
        rule = "unpaired_surrogate" if character > "\x7f" else "control_character"
        assert refusal({"a": {"b": f"x{character}"}}) == ("attributes.a.b", rule), ascii(character)
        assert refusal({"a": [f"x{character}"]}) == ("attributes.a.0", rule), ascii(character)
        assert refusal({"a": {f"x{character}": 1}}) == ("attributes.a", rule), ascii(character)


def test_tabs_and_line_breaks_pass_in_names_and_in_values() -> None:
    assert check_attributes({"a\t\n\r": "\t\n\r"}) == {"a\t\n\r": "\t\n\r"}


@drawn(OBJECTS)
@settings(database=None)
def test_what_passes_is_a_copy_that_json_carries_to_the_last_digit_and_in_order(value: dict[str, Any]) -> None:
    checked = check_attributes(value)
    assert checked is not value
    assert as_json(checked) == as_json(value)
    assert as_json(json.loads(as_json(checked))) == as_json(checked)


def test_the_copy_is_deep_and_plain() -> None:
    inner: dict[str, Any] = {"b": [1]}
    given: dict[str, Any] = {"a": MappingProxyType(inner), "t": (1, 2)}
    checked = check_attributes(MappingProxyType(given))
    inner["b"].append(2)
    assert checked == {"a": {"b": [1]}, "t": [1, 2]}
    assert type(checked) is dict
    assert type(checked["a"]) is dict


def test_a_patch_may_be_larger_than_what_it_leaves() -> None:
    # Taking a member away takes more bytes than the member has: `"k":null` for `"k":1`.
    full = {f"{number:04}": 1 for number in range(1800)}
    patch = dict.fromkeys(full)
    assert len(as_json(full)) < MAX_BYTES < len(as_json(patch))
    assert patch_attributes(full, patch) == {}


def test_the_merged_whole_is_checked_again() -> None:
    half = "x" * (MAX_BYTES // 2)
    with pytest.raises(InvalidValue) as caught:
        patch_attributes({"a": half}, {"b": half})
    assert caught.value.rule == "too_large"


@pytest.mark.parametrize("patch", [None, [], "a", nested(100_000, None), {"a": float("nan")}, {"\0": None}])
def test_a_patch_that_is_no_object_within_bounds_is_refused(patch: object) -> None:
    with pytest.raises(InvalidValue):
        patch_attributes({"a": 1}, patch)


@drawn(OBJECTS, OBJECTS)
@settings(database=None)
def test_a_patch_changes_neither_its_target_nor_itself(target: dict[str, Any], patch: dict[str, Any]) -> None:
    before = as_json(target), as_json(patch)
    patch_attributes(target, patch)
    assert (as_json(target), as_json(patch)) == before
