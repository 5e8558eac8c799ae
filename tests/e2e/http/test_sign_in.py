"""`POST /auth/token` as a form of RFC 6749."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx2
import pytest
import pytest_asyncio
from steward.testing import FastHasher

from tests.support.http import Api, faults_of

from .signing_in import (
    FORM,
    INVALID,
    MALFORMED,
    PASSWORD,
    WRONG,
    given_account,
    hashing_with,
    me,
    oauth_error_of,
    refresh,
    sign_in,
    tokens_of,
)


@pytest_asyncio.fixture(scope="module")
async def signing_in(api: Api) -> AsyncIterator[FastHasher]:
    async with at_home(api) as hasher:
        yield hasher


@pytest_asyncio.fixture(scope="module", autouse=True)
async def signing_in_at_the_edge(edge: Api) -> AsyncIterator[FastHasher]:
    async with at_home(edge) as hasher:
        yield hasher


@asynccontextmanager
async def at_home(api: Api) -> AsyncIterator[FastHasher]:
    with hashing_with(api, FastHasher()) as hasher:
        await given_account(api, "Ada")
        await given_account(api, "Jürgen")
        yield hasher


async def post(api: Api, body: bytes | str, kind: str = FORM, **headers: str) -> httpx2.Response:
    return await api.anonymous.post("/auth/token", content=body, headers={"Content-Type": kind, **headers})


GOOD = f"grant_type=password&username=ada&password={quote_plus(PASSWORD)}"


@pytest.mark.usefixtures("signing_in")
async def test_a_password_gets_a_pair_of_tokens_that_nobody_may_keep(api: Api) -> None:
    answer = await post(api, GOOD)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert sorted(body) == ["access_token", "expires_in", "refresh_token", "token_type"]
    assert (await me(api.anonymous, body["access_token"])).json()["username"] == "Ada"


@pytest.mark.usefixtures("signing_in")
async def test_a_refresh_token_gets_the_next_pair(api: Api) -> None:
    access, first = tokens_of(await post(api, GOOD))
    answer = await refresh(api.anonymous, first)
    assert answer.headers["Cache-Control"] == "no-store"
    next_access, second = tokens_of(answer)
    assert len({access, first, next_access, second}) == 4
    assert (await me(api.anonymous, next_access)).status_code == 200
    assert (await me(api.anonymous, access)).status_code == 200, "until it expires by itself"


@pytest.mark.usefixtures("signing_in")
@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "aDA",
        "\uff21da",
        "ada@example.org",
        "ADA@Example.ORG",
        "jürgen",
        "JU\u0308RGEN",
        "Ju\u0308rgen@EXAMPLE.org",
    ],
)
async def test_the_name_or_the_address_signs_in_however_it_is_written(api: Api, name: str) -> None:
    assert (await sign_in(api.anonymous, name)).status_code == 200


@pytest.mark.usefixtures("signing_in")
@pytest.mark.parametrize(
    "name", ["Ada ", " Ada", "Ad", "@", "ada@", "Ada@example.com", "ada@example.org@example.org", "1"]
)
async def test_a_name_that_is_another_one_does_not(api: Api, name: str) -> None:
    assert oauth_error_of(await sign_in(api.anonymous, name)) == WRONG


@pytest.mark.parametrize(
    "password", [PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "x" * 129, "x" * 50_000, "ſwordfish 8"]
)
async def test_a_password_is_right_exactly_as_it_was_typed(edge: Api, password: str) -> None:
    assert oauth_error_of(await sign_in(edge.anonymous, "ada", password)) == WRONG


async def test_raw_utf8_is_read_as_what_it_is(edge: Api) -> None:
    assert (await post(edge, GOOD.replace("ada", "jürgen").encode())).status_code == 200


@pytest.mark.parametrize(
    "kind", ["Application/X-WWW-Form-Urlencoded", f"{FORM};charset=UTF-8", f'{FORM}; charset="utf-8"']
)
async def test_the_media_type_is_read_as_such(edge: Api, kind: str) -> None:
    assert (await post(edge, GOOD, kind)).status_code == 200


async def test_what_is_unknown_is_ignored(edge: Api) -> None:
    extra = urlencode({"scope": "a b", "client_id": "x", "client_secret": "", "": "", "Username": "bob", "state": "\0"})
    assert (await post(edge, f"{GOOD}&{extra}&&")).status_code == 200


@pytest.mark.parametrize("given", ["Basic YWRhOg==", "Basic !", "Bearer nonsense", ""])
async def test_what_oauth_clients_say_about_themselves_does_not_matter(edge: Api, given: str) -> None:
    """Swagger UI sends `Authorization: Basic` with an empty client id."""
    assert (await post(edge, GOOD, Authorization=given)).status_code == 200


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("", ["grant_type"]),
        ("username=ada&password=x", ["grant_type"]),
        ("grant_type=", ["grant_type"]),
        ("grant_type=password", ["username", "password"]),
        ("grant_type=password&username=ada", ["password"]),
        ("grant_type=password&username=ada&password=", ["password"]),
        ("grant_type=password&username=&password=x", ["username"]),
        ("grant_type=refresh_token", ["refresh_token"]),
        ("grant_type=refresh_token&refresh_token=&username=ada", ["refresh_token"]),
    ],
)
async def test_what_is_missing_is_named(edge: Api, body: str, names: list[str]) -> None:
    """RFC 6749 section 3.2: a parameter without a value counts as left out."""
    answer = await post(edge, body)
    assert oauth_error_of(answer) == INVALID
    assert faults_of(answer) == [(f"/{name}", "missing") for name in names]


@pytest.mark.parametrize("name", ["grant_type", "username", "password", "scope"])
async def test_what_comes_twice_is_refused(edge: Api, name: str) -> None:
    answer = await post(edge, f"{GOOD}&scope=a&{name}=password")
    assert oauth_error_of(answer) == INVALID
    assert faults_of(answer) == [(f"/{name}", "repeated_parameter")]


@pytest.mark.parametrize(
    "grant", ["Password", "client_credentials", "authorization_code", "password ", "\0", "é", "x" * 9000]
)
async def test_other_grants_are_not_supported(edge: Api, grant: str) -> None:
    answer = await post(edge, urlencode({"grant_type": grant, "username": "ada", "password": PASSWORD}))
    assert oauth_error_of(answer) == (400, "unsupported_grant_type", "unsupported_grant_type")


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=password&username=%ff&password=x",
        b"grant_type=password&username=\xff&password=x",
        b"grant_type=password&username=%c3&password=x",
        b"grant_type=password&username=%ed%a0%80&password=x",
        b"grant_type=password&username=%zz&password=x",
        b"grant_type=password&username=ada&password=100%",
        b"grant_type=password&username=ada&password=%4",
        b"grant_type=password&%f=ada&password=x",
        b"&".join([b"a%d=1" % number for number in range(33)]),
        b"&" * 50_000,
    ],
)
async def test_what_is_no_form_is_told_so(edge: Api, body: bytes) -> None:
    assert oauth_error_of(await post(edge, body)) == MALFORMED


@pytest.mark.parametrize(
    ("field", "control"),
    [*(("username", each) for each in "\0\x01\t\n\x1f\x7f"), ("password", "\0"), ("refresh_token", "\n")],
)
async def test_control_characters_are_refused_in_every_field(edge: Api, field: str, control: str) -> None:
    form = {"username": "ada", "password": PASSWORD, "refresh_token": "stwr_"}
    grant = "refresh_token" if field == "refresh_token" else "password"
    answer = await post(edge, urlencode({"grant_type": grant, **form, field: f"a{control}b"}))
    assert faults_of(answer) == [(f"/{field}", "control_character")]


async def test_a_name_is_not_folded_at_any_length(edge: Api, signing_in_at_the_edge: FastHasher) -> None:
    """To normalise a run of combining marks takes quadratic time: of 100,000 characters a minute."""
    calls = signing_in_at_the_edge.calls
    answer = await sign_in(edge.anonymous, "a" + "\u0300\u0316" * 381)
    assert faults_of(answer) == [("/username", "too_long")]
    assert signing_in_at_the_edge.calls == calls
    assert oauth_error_of(await sign_in(edge.anonymous, "a" * 762)) == WRONG


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data; boundary=x", "text/plain", f"{FORM}; charset=latin-1"]
)
async def test_another_media_type_is_refused(edge: Api, kind: str) -> None:
    answer = await post(edge, GOOD, kind)
    assert oauth_error_of(answer) == (415, "unsupported_media_type", "invalid_request")
    assert answer.headers["Accept"] == FORM


async def test_a_form_has_a_limit_however_it_comes(edge: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield b"a" * 1000

    for body in (b"a" * 100_001, chunks()):
        answer = await edge.anonymous.post("/auth/token", content=body, headers={"Content-Type": FORM})
        assert oauth_error_of(answer) == (413, "body_too_large", "invalid_request")


async def test_credentials_in_the_query_are_refused(edge: Api) -> None:
    """Whatever stands there ends up in the logs of those in between."""
    answer = await edge.anonymous.post(f"/auth/token?{GOOD}", content=GOOD, headers={"Content-Type": FORM})
    assert {code for _, code in faults_of(answer)} == {"unknown_parameter"}
    assert PASSWORD not in answer.text


async def test_every_problem_speaks_oauth_too(edge: Api) -> None:
    """RFC 6749 section 5.2, which allows no quotation marks, backslashes or other than ASCII in a description."""
    answers: list[Any] = [
        await post(edge, body, kind)
        for kind in (FORM, "text/plain")
        for body in ("", "grant_type=é", "%", "a=1&a=2", "grant_type=password", GOOD + "x", '"\\é=1&"\\é=2')
    ]
    answers += [await edge.anonymous.get("/auth/token"), await edge.anonymous.put("/auth/token/")]
    for answer in answers:
        problem = answer.json()
        assert problem["error"] in {"invalid_request", "invalid_grant", "unsupported_grant_type"}
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", problem["error_description"])
    assert "error" not in (await edge.anonymous.post("/auth/logout")).json()
