"""What a JSON body may be before anyone asks what it says."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message
from steward.entrypoints.http.problems.problem_responses import HttpProblem
from steward.entrypoints.http.request_context import RequestContext, put_context
from steward.entrypoints.http.requests.json_body import parse
from steward.entrypoints.http.requests.strict_request import StrictRequest
from steward.entrypoints.strict_json import MAX_LEVELS, MAX_MEMBERS, MAX_VALUES

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\[]{},'))
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PUNCTUATION = st.text(st.sampled_from('[]{},:"\\0 a')).map(str.encode)
LIMIT = 100


def fault_of(body: bytes) -> str:
    with pytest.raises(HttpProblem) as caught:
        parse(body)
    assert caught.value.code == "malformed_json"
    return caught.value.detail


def nested(levels: int, innermost: bytes = b"1") -> bytes:
    """Arrays and objects by turns, the outermost an array."""
    openings = [b"[", b'{"":']
    closings = [b"]", b"}"]
    head = b"".join(openings[level % 2] for level in range(levels))
    return head + innermost + b"".join(closings[level % 2] for level in reversed(range(levels)))


async def read(
    pieces: Sequence[bytes] = (b"{}",), *headers: tuple[str, str], method: str = "POST", limit: int = LIMIT
) -> Any:
    """What the body says, or the code of the problem with it."""
    messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": method, "headers": raw}
    put_context(scope, RequestContext())
    try:
        return await StrictRequest(Request(scope, receive), limit, timeout=60).json()
    except HttpProblem as problem:
        return problem.code


@given(VALUES, st.booleans())
@settings(database=None)
@example('\\"[[[', False)
def test_every_json_value_within_the_limits_is_read_as_it_was_written(value: Any, ascii_alone: bool) -> None:
    assert repr(parse(json.dumps(value, ensure_ascii=ascii_alone).encode())) == repr(value)


@given(st.binary() | PUNCTUATION)
@settings(database=None, max_examples=500)
@example(b"[" * 100_000)
@example(b"[" * 65 + b"]" * 100_000)
@example(b'[\\"' + b"[" * 100_000)
@example(b'"' * 100_000)
@example(b"]" * 100_000)
def test_any_other_bytes_are_a_problem_and_no_other_error(body: bytes) -> None:
    try:
        value = parse(body)
    except HttpProblem:
        return
    assert repr(value) == repr(json.loads(body))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'{"a":Infinity}', "Infinity is not JSON"),
        (b"1e309", "A number is too large"),
        (b"-1.0E+999999999999", "A number is too large"),
        (b"1" * 5_000, "A number has too many digits"),
        (b"-" + b"1" * 1_000_000, "A number has too many digits"),
        (b'{"a":1,"b":2,"a":1}', "An object names a member twice"),
        (b'[{"a":1,"\\u0061":2}]', "An object names a member twice"),
        (b"\xff", "The body is not UTF-8"),
        (b'"\xed\xa0\x80"', "The body is not UTF-8"),  # a surrogate
        (b'"\xc0\xaf"', "The body is not UTF-8"),  # a slash in too many bytes
        (b"\xef\xbb\xbf{}", "The body begins with a byte order mark: send it without one"),
        ("{}".encode("utf-16"), "The body is not UTF-8"),
        ("{}".encode("utf-16-le"), "The body holds NUL bytes: send it in UTF-8"),
        ("{}".encode("utf-16-be"), "The body holds NUL bytes: send it in UTF-8"),
        ("{}".encode("utf-32"), "The body is not UTF-8"),
        ("{}".encode("utf-32-be"), "The body holds NUL bytes: send it in UTF-8"),
        (b"", "Expecting value at line 1, column 1"),
        (b" \n\t", "Expecting value at line 2, column 2"),
        (b"{} x", "Extra data at line 1, column 4"),
        (b'"a', "Unterminated string starting at line 1, column 1"),
        (b'"a\n"', "Invalid control character at line 1, column 3"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_not_json_is_told_in_words_that_help(body: bytes, fault: str) -> None:
    assert fault_of(body) == fault


@pytest.mark.parametrize("body", [b"+1", b"01", b"1_0", b".5", b"1.", "١".encode(), b"0x1", b"1e", b"--1", b"- 1"])
def test_a_number_has_one_way_to_be_written(body: bytes) -> None:
    assert fault_of(body)


def test_whole_numbers_written_with_a_fraction_or_an_exponent_are_no_integers() -> None:
    assert [type(number) for number in parse(b"[1, -0, 1.0, 1e3]")] == [int, int, float, float]


def test_a_fault_quotes_nothing_of_the_body() -> None:
    for body in (b'{"password":"s3cret', b'{"s3cret":1,"s3cret":2}', b'"\\s3cret"', b"s3cret", b'{"a":s3cret}'):
        assert "s3cret" not in fault_of(body)


def test_64_levels_pass_and_65_do_not() -> None:
    assert parse(nested(MAX_LEVELS)) == json.loads(nested(MAX_LEVELS))
    assert fault_of(nested(MAX_LEVELS + 1)) == "At most 64 levels of nesting"
    assert fault_of(nested(MAX_LEVELS, b"[]")) == "At most 64 levels of nesting"
    assert parse(b"[" + b",".join([nested(MAX_LEVELS - 1)] * 10) + b"]")
    assert fault_of(b"[" + b"[]," * 1_000 + nested(MAX_LEVELS) + b"]") == "At most 64 levels of nesting"


@pytest.mark.parametrize("text", ['"', "\\", '\\"', '"[', "[{" * 100, "]}" * 100, '\\\\"[[', "é" + '"' * 99])
def test_brackets_in_strings_are_no_levels(text: str) -> None:
    string = json.dumps(text).encode()
    assert parse(nested(MAX_LEVELS, string)) == json.loads(nested(MAX_LEVELS, string))
    assert fault_of(nested(MAX_LEVELS, b"[" + string + b"]")) == "At most 64 levels of nesting"
    assert fault_of(b"[" + string + b"," + nested(MAX_LEVELS) + b"]") == "At most 64 levels of nesting"


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b"[" * 49_000, b'{"a":' * 100_000, nested(20_000)])
def test_what_would_exhaust_the_stack_or_the_memory_is_refused_before_it_is_parsed(body: bytes) -> None:
    assert fault_of(body).startswith("At most ")


@pytest.mark.parametrize("value", [b"0", b'""', b'"\\",["', b'"' + b"," * 10 + b'"'], ids=ascii)
def test_50_000_values_pass_and_one_more_does_not(value: bytes) -> None:
    # The array is a value too.
    assert len(parse(b"[" + b",".join([value] * (MAX_VALUES - 1)) + b"]")) == MAX_VALUES - 1
    assert fault_of(b"[" + b",".join([value] * MAX_VALUES) + b"]") == "At most 50000 values in one document"


def test_members_with_names_count_once() -> None:
    each = b'{"a":"b","c":"d","e":"f","g":"h"}'
    assert len(parse(b"[" + b",".join([each] * 9_999) + b"]")) == 9_999
    assert fault_of(b"[" + b",".join([each] * 10_000) + b"]") == "At most 50000 values in one document"


def test_5_000_members_of_an_object_pass_and_one_more_does_not() -> None:
    members = [b'"%d":0' % number for number in range(MAX_MEMBERS + 1)]
    assert len(parse(b"{" + b",".join(members[:-1]) + b"}")) == MAX_MEMBERS
    assert fault_of(b"{" + b",".join(members) + b"}") == "At most 5000 members in one object"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        " application/json ",
        "application/json;charset=utf-8",
        "application/json ; Charset = UTF-8",
        'application/json; charset="utf-8"',
        "application/json; version=1",
        "application/json;",
    ],
)
async def test_json_in_utf_8_is_read_however_it_is_announced(kind: str) -> None:
    assert await read([b"{}"], ("Content-Type", kind)) == {}


@pytest.mark.parametrize(
    "kinds",
    [
        [],
        [""],
        ["json"],
        ["text/json"],
        ["application/x-json"],
        ["application/json5"],
        ["application/json, application/json"],
        ["application/merge-patch+json"],
        ["application/json; charset=latin-1"],
        ["application/json; charset=utf-16"],
        ["application/json; charset="],
        ["application/json; charset=utf-8; charset=latin-1"],
        ["application/json", "application/json"],
        ["application/json", "text/plain"],
        ["text/plain", "application/json"],
    ],
    ids=str,
)
async def test_a_body_that_is_announced_as_something_else_is_not_read(kinds: list[str]) -> None:
    assert await read([b"{}"], *(("Content-Type", kind) for kind in kinds)) == "unsupported_media_type"


@pytest.mark.parametrize("codings", [["gzip"], ["identity", "gzip"], ["gzip, identity"], ["br"], [""]], ids=str)
async def test_an_encoded_body_is_not_read(codings: list[str]) -> None:
    headers = [("Content-Type", "application/json"), *(("Content-Encoding", coding) for coding in codings)]
    assert await read([b"{}"], *headers) == "unsupported_media_type"


async def test_a_patch_is_read_by_both_of_its_names() -> None:
    for kind in ("application/json", "application/merge-patch+json"):
        assert await read([b"{}"], ("Content-Type", kind), method="PATCH") == {}


@pytest.mark.parametrize("length", ["101", "0101", "9" * 19, "9" * 5_000])
async def test_a_body_that_announces_too_much_is_refused_before_it_is_read(length: str) -> None:
    assert await read([], ("Content-Length", length)) == "body_too_large"


@pytest.mark.parametrize("length", ["100", "1", "0", "000100", "-1", "+5", "many", "1e9", "²", ""])
async def test_a_body_is_counted_whatever_it_announces(length: str) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Length", length)]
    assert await read([b"[" + b" " * 98, b"]"], *headers) == []
    assert await read([b"[" + b" " * 99, b"]"], *headers) == "body_too_large"
    assert await read([b" "] * 101, *headers) == "body_too_large"
