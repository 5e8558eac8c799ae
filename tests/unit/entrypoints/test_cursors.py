"""Cursors: what comes out of one is what went in, and nobody else can make one."""

import base64
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from steward.bootstrap import container_for
from steward.config import load_settings
from steward.domain.pages import Position
from steward.domain.users import MAX_ID
from steward.entrypoints.http.problems.problem_responses import HttpProblem
from steward.entrypoints.http.requests.pages import decode_cursor, encode_cursor

KEY = b"k" * 32
MADE_FOR: dict[str, Any] = {"list": "items", "sort": "-id", "owner_id": 7, "q": "box"}

positions = st.lists(
    st.integers(-(2**63), MAX_ID)
    | st.text(st.characters(codec="utf-8"), max_size=200)
    | st.datetimes(timezones=st.just(UTC)),
    min_size=1,
    max_size=5,
).map(tuple)


def refused(cursor: str, made_for: dict[str, Any] | None = None, key: bytes = KEY) -> bool:
    try:
        decode_cursor(key, cursor, MADE_FOR if made_for is None else made_for)
    except HttpProblem as problem:
        return problem.code == "invalid_cursor"
    return False


@given(position=positions)
@settings(database=None)
def test_the_position_comes_back(position: Position) -> None:
    cursor = encode_cursor(KEY, position, MADE_FOR)
    found = decode_cursor(KEY, cursor, MADE_FOR)
    assert found == position
    assert [type(value) for value in found] == [type(value) for value in position]
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()  # nothing that a URL would have to escape


@given(position=positions, bit=st.integers(0))
@settings(database=None)
def test_no_bit_of_a_cursor_can_be_changed(position: Position, bit: int) -> None:
    cursor = encode_cursor(KEY, position, MADE_FOR)
    signed = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    bit %= len(signed) * 8
    signed[bit // 8] ^= 1 << bit % 8
    assert refused(base64.urlsafe_b64encode(bytes(signed)).decode().rstrip("="))


def test_a_cursor_that_was_cut_off_or_added_to_is_refused() -> None:
    cursor = encode_cursor(KEY, ("Box", 7), MADE_FOR)
    assert all(refused(cursor[:length]) for length in range(len(cursor)))
    assert refused(cursor + "A" * 4)


@pytest.mark.parametrize("extra", ["=", "!", " ", "\n", ".", "é", "+"])
def test_a_cursor_is_written_in_one_way(extra: str) -> None:
    cursor = encode_cursor(KEY, ("Box", 7), MADE_FOR)
    assert all(refused(cursor[:place] + extra + cursor[place:]) for place in range(len(cursor) + 1))


@pytest.mark.parametrize(
    "other",
    [
        {**MADE_FOR, "list": "users"},
        {**MADE_FOR, "sort": "id"},
        {**MADE_FOR, "owner_id": 8},
        {**MADE_FOR, "owner_id": None},
        {**MADE_FOR, "owner_id": "7"},
        {**MADE_FOR, "q": "Box"},
        {**MADE_FOR, "name": "box"},
        {name: value for name, value in MADE_FOR.items() if name != "q"},
        {},
    ],
)
def test_a_cursor_is_for_the_list_that_it_was_made_for_alone(other: dict[str, Any]) -> None:
    assert refused(encode_cursor(KEY, (7,), MADE_FOR), other)
    assert refused(encode_cursor(KEY, (7,), other))


def test_times_that_are_the_same_moment_make_the_same_list() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    made_for = {"list": "items", "created_after": noon}
    assert decode_cursor(KEY, encode_cursor(KEY, (7,), made_for), dict(reversed(made_for.items()))) == (7,)
    assert refused(encode_cursor(KEY, (7,), made_for), {**made_for, "created_after": noon.replace(microsecond=1)})


def test_a_cursor_of_another_server_is_refused() -> None:
    assert refused(encode_cursor(KEY, (7,), MADE_FOR), key=b"l" * 32)


def test_a_cursor_of_an_earlier_version_is_refused() -> None:
    assert refused("WzEsMTAse31d")  # [1,10,{}]


def test_servers_with_one_secret_have_one_key_and_it_is_not_the_secret() -> None:
    def key(secret: str) -> bytes:
        settings = load_settings(database_url="sqlite+aiosqlite:///:memory:", secret_key=secret)
        found: bytes = container_for(settings).cursor_key()
        return found

    secret, other = "s" * 32, "t" * 32
    assert key(secret) == key(secret) != key(other)
    assert secret.encode() not in key(secret)
