"""Bodies that are not what they should be: always a problem that says why, never a 500."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.http import Api, faults_of, problem_of

JSON = {"Content-Type": "application/json"}
TAKE_A_BODY = [
    ("POST", "/users"),
    ("PATCH", "/users/1"),
    ("PUT", "/users/me/password"),
    ("POST", "/items"),
    ("PATCH", "/items/1"),
    ("POST", "/items/1/transfer"),
]


async def post(edge: Api, content: bytes | str, path: str = "/items") -> httpx2.Response:
    return await edge.client.post(path, content=content, headers=JSON)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{} {}",
        b"\0",
        b"'x'",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":1,}',
        b'{"a":"\n"}',
        b'{"a":"\\x41"}',
        b'{"quantity":NaN}',
        b'{"quantity":Infinity}',
        b'{"quantity":-Infinity}',
        b'{"quantity":1e999}',
        b'{"quantity":-1e999}',
        b'{"name":"a","name":"b"}',
        b'{"attributes":{"a":1,"\\u0061":2}}',
        b"\xff",
        b'{"name":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"name":"Box"}'.encode("utf-16"),
        b" \n",
        b"[" * 90_000,
        b"[" * 65 + b"]" * 65,
        b"[" * 45_000 + b"]" * 45_000,
        b'{"a":' * 18_000,
        b'{"quantity":' + b"1" * 5_000 + b"}",
    ],
    ids=lambda content: content[:20],
)
async def test_what_is_not_json_is_malformed(edge: Api, content: bytes) -> None:
    assert problem_of(await post(edge, content)) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (b"", [("", "missing")]),
        (b"null", [("", "object_type")]),
        (b"[]", [("", "object_type")]),
        (b'"Box"', [("", "object_type")]),
        (b"{}", [("/name", "missing")]),
    ],
)
async def test_a_body_is_an_object(edge: Api, content: bytes, faults: list[tuple[str, str]]) -> None:
    assert faults_of(await post(edge, content)) == faults


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ('"name":"\\ud800"', ("/name", "unpaired_surrogate")),
        ('"name":"a\\u0000b"', ("/name", "control_character")),
        ('"name":7', ("/name", "string_type")),
        ('"quantity":1.0', ("/quantity", "int_type")),
        ('"quantity":"1"', ("/quantity", "int_type")),
        ('"quantity":true', ("/quantity", "int_type")),
        ('"quantity":1e3', ("/quantity", "int_type")),
        ('"quantity":' + "9" * 4_000, ("/quantity", "less_than_equal")),
        ('"quantity":2147483648', ("/quantity", "less_than_equal")),
        ('"owner_id":0', ("/owner_id", "greater_than_equal")),
        ('"owner_id":9223372036854775808', ("/owner_id", "less_than_equal")),
        ('"owner_id":4711', ("/owner_id", "unknown_owner")),
        ('"owner_id":null', ("/owner_id", "int_type")),
        ('"attributes":[]', ("/attributes", "object_type")),
        ('"attributes":{"\\ud800":1}', ("/attributes", "unpaired_surrogate")),
        ('"attributes":{"a":"\\u0000"}', ("/attributes/a", "control_character")),
        ('"attributes":{"a/b":{"c~d":[0,9007199254740992]}}', ("/attributes/a~1b/c~0d/1", "integer_out_of_range")),
        ('"attributes":{"":{"~1":1e400}}', None),
        ('"attributes":' + '{"a":' * 9 + "1" + "}" * 9, ("/attributes" + "/a" * 8, "too_deep")),
        ('"attributes":' + '{"a":' * 60 + "1" + "}" * 60, ("/attributes" + "/a" * 8, "too_deep")),
        ('"attributes":' + '{"a":' * 64 + "1" + "}" * 64, None),
        ('"attributes":{"a":["\\t\\n\\r\\u001b"]}', ("/attributes/a/0", "control_character")),
        ('"attributes":{"\\u007f":1}', ("/attributes", "control_character")),
        ('"colour":"green"', ("/colour", "unknown_member")),
        ('"colour/of~it":"green"', ("/colour~1of~0it", "unknown_member")),
        ('"[key]":1', ("/[key]", "unknown_member")),
        ('"\\ud800":1', ("", "unpaired_surrogate")),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_member_that_breaks_a_rule_is_pointed_at(
    edge: Api, members: str, fault: tuple[str, str] | None
) -> None:
    whole = {"name": '"Box"', "owner_id": "1"}
    others = ",".join(f'"{name}":{value}' for name, value in whole.items() if f'"{name}":' not in members)
    answer = await post(edge, f"{{{members},{others}}}" if others else f"{{{members}}}")
    if fault is None:
        assert problem_of(answer) == (400, "malformed_json")
    else:
        assert faults_of(answer) == [fault]


async def test_every_fault_of_a_request_is_reported_at_once(edge: Api) -> None:
    body = {"username": "a b", "email": "ada", "role": "king", "is_active": 1, "colour": "green"}
    answer = await edge.client.patch("/users/007?a=1&b=2&b=3", json=body)
    assert faults_of(answer) == [
        ("a", "unknown_parameter"),
        ("b", "unknown_parameter"),
        ("user_id", "id"),
        ("/username", "username_characters"),
        ("/email", "email_shape"),
        ("/role", "literal_error"),
        ("/is_active", "bool_type"),
        ("/colour", "unknown_member"),
    ]
    assert [fault.keys() - {"code", "detail"} for fault in answer.json()["errors"]] == [{"parameter"}] * 3 + [
        {"pointer"}
    ] * 5


async def test_an_answer_is_not_many_times_as_long_as_its_request(edge: Api) -> None:
    answer = await edge.client.post("/items", json={f"m{number}": 1 for number in range(5_000)})
    assert len(answer.json()["errors"]) == 100
    assert "more than 100 faults" in answer.json()["detail"]


# That each operation refuses one: test_problems.py.
@pytest.mark.parametrize(("method", "path"), [("POST", "/items"), ("PATCH", "/items/1")])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_of_another_media_type_is_refused(
    edge: Api, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = await edge.client.request(method, path, content=b"{}", headers=headers)
    assert problem_of(answer) == (415, "unsupported_media_type")
    if "Content-Encoding" in headers:
        assert answer.headers["Accept-Encoding"] == "identity"
    elif method == "PATCH":
        assert answer.headers["Accept-Patch"] == "application/json, application/merge-patch+json"
    else:
        assert answer.headers["Accept"] == "application/json"


async def test_only_a_patch_is_a_merge_patch(edge: Api) -> None:
    answer = await edge.client.post("/items", content=b"{}", headers={"Content-Type": "application/merge-patch+json"})
    assert problem_of(answer) == (415, "unsupported_media_type")


async def in_pieces() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b" " * 10_000


async def test_a_body_beyond_the_limit_is_refused_announced_or_not(edge: Api) -> None:
    """That each operation refuses one: test_problems.py."""
    announced = await post(edge, b" " * 100_001)
    assert problem_of(announced) == (413, "body_too_large")
    unannounced = await edge.client.post("/items", content=in_pieces(), headers=JSON)
    assert problem_of(unannounced) == (413, "body_too_large")


async def test_a_body_of_just_the_limit_is_read(edge: Api) -> None:
    assert problem_of(await post(edge, b"{}".ljust(100_000))) == (422, "invalid_request")


async def test_a_body_where_none_is_expected_is_not_looked_at(edge: Api) -> None:
    answer = await edge.client.request("GET", "/livez", content=b"\xff", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    [
        *("username", "email", "password", "role", "is_active", "current_password", "new_password"),
        *("name", "description", "quantity", "attributes", "owner_id"),
        *("to", "user_id", "item_id", "colour"),
    ]
)


@settings(max_examples=100)
@given(body=st.dictionaries(members, any_json, max_size=6) | any_json, request_line=st.sampled_from(TAKE_A_BODY))
async def test_no_json_whatsoever_is_an_internal_error(edge: Api, body: Any, request_line: tuple[str, str]) -> None:
    method, path = request_line
    answer = await edge.client.request(method, path, content=json.dumps(body), headers=JSON)
    assert answer.status_code in {200, 201, 400, 404, 409, 422}


@settings(max_examples=100)
@given(body=st.binary(max_size=200), kind=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
async def test_no_bytes_whatsoever_are_an_internal_error(edge: Api, body: bytes, kind: str) -> None:
    for headers in (JSON, {"Content-Type": kind}, {"Content-Type": f"application/json;{kind}"}):
        answer = await edge.client.post("/items", content=body, headers=headers)
        assert answer.status_code in {400, 415, 422}
