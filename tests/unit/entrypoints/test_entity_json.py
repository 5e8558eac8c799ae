"""Entities are written as JSON of the standard library would be, in one piece and quickly."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from steward.domain.items import Item, ItemId
from steward.domain.users import UserId
from steward.entrypoints.entity_json import item_json, json_bytes, json_text, time_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)
TIMES = st.datetimes(timezones=st.just(UTC))


@given(VALUES)
@settings(database=None)
@example({"a": [1.0, -0.0, 1e16, 5e-324, 2**53 - 1, 10**30]})
@example('\x00\x1f\x7f\u2028"\\/\b\f\n\r\té😀')
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert repr(json.loads(json_bytes(value))) == repr(value)


@given(st.text() | st.lists(st.text() | st.integers() | st.booleans() | st.none()))
@settings(database=None)
def test_it_is_as_short_as_it_can_be(value: object) -> None:
    assert json_text(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_members_keep_their_order() -> None:
    assert json_bytes({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"b":1,"a":{"d":2,"c":3}}'


def test_an_unpaired_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        json_bytes("\ud800")


@given(TIMES)
@settings(database=None)
@example(datetime(1, 2, 3, tzinfo=UTC))
@example(datetime(2026, 11, 22, 1, 18, 0, 100, tzinfo=UTC))
def test_times_in_an_answer_always_have_microseconds(at: datetime) -> None:
    written = f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    assert time_text(at) == written
    item = Item(ItemId(1), UserId(2), "Box", None, 3, {"b": 1.5, "a": []}, at, at, 4)
    told = json.loads(json_bytes(item_json(item)))
    assert (told["created_at"], told["updated_at"]) == (written, written)
