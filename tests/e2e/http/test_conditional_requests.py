"""Conditional requests (RFC 9110 section 13), on users and on items."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.http import PASSWORD, Api, problem_of, serving

GONE, NEVER = "412 version_mismatch", "422 invalid_request"


async def read(api: Api, path: str, **headers: str) -> tuple[int, str | None, bytes]:
    answer = await api.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status_code, answer.headers.get("ETag"), answer.content


async def told(api: Api, method: str, path: str, headers: Any, body: Any = None) -> str:
    """The status, and the code of a problem."""
    answer = await api.client.request(method, path, json=body, headers=headers)
    return f"{answer.status_code} {answer.json()['code']}" if answer.status_code >= 400 else str(answer.status_code)


# What If-None-Match says of item 7 in version 1, as {tag}, and whether that is a 304.
@pytest.mark.parametrize(
    ("value", "unchanged"),
    [
        ('"{tag}"', True),
        ('W/"{tag}"', True),
        ("*", True),
        ('"x", "{tag}"', True),
        (' , "x" ,W/"{tag}" ,, ', True),
        ('"{id}-2"', False),
        ('"1{tag}"', False),
        ('""', False),
        ('w/"x"', None),
        ("{tag}", None),
        ('"x" "{tag}"', None),
        ('*, "{tag}"', None),
        ('"{tag}', None),
        ("", None),
    ],
)
async def test_if_none_match_compares_weakly(api: Api, value: str, unchanged: bool | None) -> None:
    box = await api.item((await api.user())["id"])
    value = value.format(id=box["id"], tag=f"{box['id']}-1")
    status, etag, content = await read(api, f"/items/{box['id']}", If_None_Match=value)
    if unchanged is None:
        assert status == 422
        assert b'"header":"If-None-Match","code":"malformed_entity_tags"' in content
    else:
        assert (status, etag) == (304 if unchanged else 200, f'"{box["id"]}-1"')
        assert (content == b"") == unchanged


async def test_what_has_changed_is_shown_again(api: Api) -> None:
    ada = await api.user()
    path = f"/users/{ada['id']}"
    _, first, _ = await read(api, path)
    assert (await read(api, path, If_None_Match=str(first)))[0] == 304
    await api.client.patch(path, json={"email": f"new-{ada['id']}@example.org"})
    status, second, _ = await read(api, path, If_None_Match=str(first))
    assert (status, second) == (200, f'"{ada["id"]}-2"')


async def test_a_304_has_the_headers_that_the_200_has(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    shown = await api.client.get(f"/items/{box['id']}")
    unchanged = await api.client.get(f"/items/{box['id']}", headers={"If-None-Match": shown.headers["ETag"]})
    assert unchanged.status_code == 304
    for name in ("ETag", "Cache-Control", "Vary"):  # RFC 9110 section 15.4.5
        assert unchanged.headers[name] == shown.headers[name]
    assert "Content-Type" not in unchanged.headers
    head = await api.client.head(f"/items/{box['id']}", headers={"If-None-Match": shown.headers["ETag"]})
    assert head.status_code == 304


async def test_what_is_not_there_or_not_yours_is_not_found_first(api: Api) -> None:
    ada = await api.user()
    for headers in ({"If-Match": '"4711-1"'}, {"If-None-Match": "*"}, {"If-Match": "*"}):
        assert await told(api, "GET", "/items/4711", headers) == "404 item_not_found"
        assert await told(api, "PATCH", "/items/4711", headers, {"name": "Lid"}) == "404 item_not_found"
        assert await told(api, "DELETE", "/items/4711", headers) == "404 item_not_found"
        assert await told(api, "DELETE", "/users/4711", headers) == "404 user_not_found"
        transfer = {"to": ada["username"]}
        assert await told(api, "POST", "/items/4711/transfer", headers, transfer) == "404 item_not_found"


async def test_an_expanded_item_has_no_validator(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    path = f"/items/{box['id']}?expand=owner"
    assert (await read(api, path, If_None_Match=f'"{box["id"]}-1"'))[:2] == (200, None)
    assert (await read(api, path, If_None_Match='""'))[:2] == (200, None)
    assert (await read(api, path, If_None_Match="*"))[:2] == (304, None)
    assert (await read(api, path, If_Match=f'"{box["id"]}-1"'))[0] == 412


async def test_if_match_on_a_read_is_evaluated_first(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    path, tag = f"/items/{box['id']}", f'"{box["id"]}-1"'
    assert (await read(api, path, If_Match=tag))[0] == 200
    assert (await read(api, path, If_Match=f"W/{tag}", If_None_Match=tag))[0] == 412
    assert (await read(api, path, If_Match="*", If_None_Match=tag))[0] == 304


# What If-Match says of item 7 in version 1, as {tag}.
IF_MATCH = [
    ('"{tag}"', "200"),
    ("*", "200"),
    ('"x", "{tag}"', "200"),
    (',"{tag}","{id}-2"', "200"),
    ('"{id}-2"', GONE),
    ('"{id}-2", "{id}-3"', GONE),
    ('W/"{tag}"', GONE),
    ('W/"{tag}", "x"', GONE),
    ('"1{tag}"', GONE),
    ('"{id}-01"', GONE),
    ('"{id}-99999999999999999999999"', GONE),
    ('"x"', GONE),
    ('""', GONE),
    ("{tag}", NEVER),
    ('"{tag}', NEVER),
    ('*, "{tag}"', NEVER),
    ("", NEVER),
]


@pytest.mark.parametrize(("value", "expected"), IF_MATCH)
async def test_if_match_compares_strongly(api: Api, value: str, expected: str) -> None:
    ada, bob = await api.user(), await api.user()
    for method, action, body in (
        ("PATCH", "", {"name": "Lid"}),
        ("PATCH", "", {}),
        ("POST", "/transfer", {"to": bob["username"], "quantity": 1}),
        ("DELETE", "", None),
    ):
        box = await api.item(ada["id"], quantity=3)
        headers = {"If-Match": value.format(id=box["id"], tag=f"{box['id']}-1")}
        answered = await told(api, method, f"/items/{box['id']}{action}", headers, body)
        assert answered == ("204" if expected == "200" and method == "DELETE" else expected)
        left = await api.client.get(f"/items/{box['id']}")
        if expected != "200":
            assert left.json() == box


@pytest.mark.parametrize(("value", "expected"), [('"{id}-1"', "200"), ('"{id}-2"', GONE), ('W/"{id}-1"', GONE)])
async def test_if_match_holds_for_users_too(api: Api, value: str, expected: str) -> None:
    ada = await api.user()
    path, headers = f"/users/{ada['id']}", {"If-Match": value.format(id=ada["id"])}
    mine = {**headers, **await api.bearer(ada["id"])}
    assert await told(api, "PATCH", "/users/me", mine, {}) == expected
    assert await told(api, "PATCH", path, headers, {"email": ada["email"]}) == expected
    assert await told(api, "DELETE", path, headers) == ("204" if expected == "200" else expected)


async def test_if_none_match_refuses_a_write_to_that_version(api: Api) -> None:
    """RFC 9110 section 13.1.2: for other methods than GET a condition that is false is a 412."""
    box = await api.item((await api.user())["id"])
    path, tag = f"/items/{box['id']}", f'"{box["id"]}-1"'
    for value in (tag, f"W/{tag}", "*"):
        assert await told(api, "PATCH", path, {"If-None-Match": value}, {"name": "Lid"}) == GONE
        assert await told(api, "DELETE", path, {"If-None-Match": value}) == GONE
    assert await told(api, "PATCH", path, {"If-Match": tag, "If-None-Match": '"x"'}, {"name": "Lid"}) == "200"


async def test_the_lines_of_a_field_are_one_list(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    lines = [("If-Match", '"x"'), ("If-Match", f'"{box["id"]}-1"')]
    assert await told(api, "PATCH", f"/items/{box['id']}", lines, {"name": "Lid"}) == "200"


async def test_a_change_of_nothing_keeps_version_and_etag(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    kept = await api.client.patch(f"/items/{box['id']}", json={"name": "Box"}, headers={"If-Match": f'"{box["id"]}-1"'})
    assert (kept.json(), kept.headers["ETag"]) == (box, f'"{box["id"]}-1"')


async def test_faults_of_the_body_come_before_the_condition(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    headers = {"If-Match": '"x"'}
    assert await told(api, "PATCH", f"/items/{box['id']}", headers, {"quantity": -1}) == NEVER
    assert await told(api, "POST", f"/items/{box['id']}/transfer", headers, {"to": 7}) == NEVER


@pytest_asyncio.fixture(scope="module")
async def careful(url_of_module: str) -> AsyncIterator[Api]:
    """Where changes have to say which version was seen."""
    async with serving(url_of_module, require_if_match=True) as api:
        yield api


async def test_where_it_is_required_a_change_without_if_match_is_refused(careful: Api) -> None:
    ada, bob = await careful.user(), await careful.user()
    box = await careful.item(ada["id"])
    item, user = f"/items/{box['id']}", f"/users/{ada['id']}"
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", item, {"name": "Lid"}),
        ("POST", f"{item}/transfer", {"to": bob["username"]}),
        ("DELETE", item, None),
        ("PATCH", user, {"email": "new@example.org"}),
        ("DELETE", f"{user}?items=delete", None),
    ]
    for method, path, body in changes:
        assert await told(careful, method, path, {}, body) == "428 precondition_required"
        assert await told(careful, method, path, {"If-None-Match": '"x"'}, body) == "428 precondition_required"
    assert await told(careful, "PATCH", item, {"If-Match": "*"}, {"name": "Lid"}) == "200"
    assert await told(careful, "PATCH", item, {"If-Match": f'"{box["id"]}-1"'}, {"name": "Lid"}) == GONE
    assert await told(careful, "DELETE", item, {"If-Match": f'"{box["id"]}-2"'}) == "204"


async def test_where_it_is_required_other_refusals_come_first(careful: Api) -> None:
    ada = await careful.user()
    box = await careful.item(ada["id"])
    assert await told(careful, "PATCH", "/items/4711", {}, {"name": "Lid"}) == "404 item_not_found"
    assert await told(careful, "PATCH", f"/items/{box['id']}", {}, {"name": ""}) == NEVER
    refused = await careful.anonymous.patch(f"/items/{box['id']}", json={"name": "Lid"})
    assert problem_of(refused) == (401, "not_authenticated")


async def test_where_it_is_required_what_is_new_needs_none(careful: Api) -> None:
    name = "nobody.before"
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    assert await told(careful, "POST", "/users", {}, body) == "201"
    assert await told(careful, "POST", "/items", {}, {"name": "Box"}) == "201"
