"""Tokens that are used twice, too late, for something else, or that nobody ever gave out."""

import asyncio
import base64
import secrets
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from steward.testing import Clock, FastHasher

from tests.support.http import Api, problem_of, serving
from tests.support.statements import counted
from tests.support.steward_server import StewardServer

from .signing_in import WRONG, bearer, given_account, hashing_with, me, oauth_error_of, refresh, sign_in, tokens_of

LIFETIMES: dict[str, Any] = {"access_token_ttl": 60, "refresh_token_ttl": 600}


@pytest_asyncio.fixture(scope="module")
async def api(url_of_module: str) -> AsyncIterator[Api]:
    async with serving(url_of_module, **LIFETIMES) as api:
        with hashing_with(api, FastHasher()):
            await given_account(api, "ada")
            yield api


@pytest_asyncio.fixture(scope="module")
async def strict(url_of_module: str, api: Api) -> AsyncIterator[Api]:
    """Without grace, on the same database."""
    async with serving(url_of_module, **LIFETIMES, refresh_token_grace=0) as strict:
        with hashing_with(strict, FastHasher()):
            yield strict


@pytest.fixture
def clock(api: Api, strict: Api) -> Clock:
    clock = Clock(datetime.now(UTC))
    api.database.clock = strict.database.clock = clock
    return clock


async def signed_in(api: Api) -> tuple[str, str]:
    return tokens_of(await sign_in(api.anonymous, "ada"))


async def assert_ended(api: Api, *tokens: tuple[str, str]) -> None:
    for access, token in tokens:
        assert problem_of(await me(api.anonymous, access)) == (401, "token_revoked")
        assert oauth_error_of(await refresh(api.anonymous, token)) == WRONG


async def test_expires_in_is_the_setting(api: Api) -> None:
    assert (await sign_in(api.anonymous, "ada")).json()["expires_in"] == 60


async def test_a_token_that_was_exchanged_long_ago_ends_the_family_and_no_other(api: Api, clock: Clock) -> None:
    other = await signed_in(api)
    first = await signed_in(api)
    second = tokens_of(await refresh(api.anonymous, first[1]))
    clock.advance(seconds=10)
    assert oauth_error_of(await refresh(api.anonymous, first[1])) == WRONG
    await assert_ended(api, first, second)
    assert (await me(api.anonymous, other[0])).status_code == 200


async def test_a_token_whose_successor_was_used_ends_the_family_at_once(api: Api, clock: Clock) -> None:
    first = await signed_in(api)
    second = tokens_of(await refresh(api.anonymous, first[1]))
    third = tokens_of(await refresh(api.anonymous, second[1]))
    assert oauth_error_of(await refresh(api.anonymous, first[1])) == WRONG
    await assert_ended(api, first, second, third)


async def test_an_answer_that_got_lost_signs_nobody_out(api: Api, clock: Clock) -> None:
    first = await signed_in(api)
    tokens_of(await refresh(api.anonymous, first[1]))  # whose answer got lost
    clock.advance(seconds=9.9)
    again = tokens_of(await refresh(api.anonymous, first[1]))
    assert (await me(api.anonymous, again[0])).status_code == 200
    assert (await refresh(api.anonymous, again[1])).status_code == 200


async def test_the_grace_does_not_begin_anew_with_each_use(api: Api, clock: Clock) -> None:
    first = await signed_in(api)
    for _ in range(2):
        tokens_of(await refresh(api.anonymous, first[1]))
        clock.advance(seconds=5)
    assert oauth_error_of(await refresh(api.anonymous, first[1])) == WRONG


async def test_without_grace_every_reuse_ends_the_family(strict: Api, clock: Clock) -> None:
    first = await signed_in(strict)
    second = tokens_of(await refresh(strict.anonymous, first[1]))
    assert oauth_error_of(await refresh(strict.anonymous, first[1])) == WRONG
    await assert_ended(strict, first, second)


async def test_of_two_who_race_without_grace_one_wins_and_the_reuse_ends_the_family(strict: Api, clock: Clock) -> None:
    first = await signed_in(strict)
    answers = await asyncio.gather(*(refresh(strict.anonymous, first[1]) for _ in range(8)))
    won = [tokens_of(answer) for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    await assert_ended(strict, first, *won)


async def test_of_two_who_race_in_grace_both_go_on(api: Api, clock: Clock) -> None:
    first = await signed_in(api)
    both = [tokens_of(answer) for answer in await asyncio.gather(*(refresh(api.anonymous, first[1]) for _ in range(2)))]
    for access, _ in both:
        assert (await me(api.anonymous, access)).status_code == 200
    next_one = tokens_of(await refresh(api.anonymous, both[0][1]))
    clock.advance(seconds=10)
    assert oauth_error_of(await refresh(api.anonymous, both[1][1])) == WRONG, "one of them was not theirs"
    await assert_ended(api, next_one)


async def test_a_logout_while_others_refresh_is_final(api: Api, clock: Clock) -> None:
    first = await signed_in(api)
    logout = api.anonymous.post("/auth/logout", headers=bearer(first[0]))
    *answers, _ = await asyncio.gather(*(refresh(api.anonymous, first[1]) for _ in range(3)), logout)
    won = [tokens_of(answer) for answer in answers if answer.status_code == 200]
    await assert_ended(api, first, *won)


async def test_an_access_token_expires_and_its_bearer_is_told_to_refresh(api: Api, clock: Clock) -> None:
    access, token = await signed_in(api)
    clock.advance(seconds=59.9)
    assert (await me(api.anonymous, access)).status_code == 200
    clock.advance(seconds=0.1)
    answer = await me(api.anonymous, access)
    assert problem_of(answer) == (401, "token_expired")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="steward", error="invalid_token"'
    assert (await refresh(api.anonymous, token)).status_code == 200


async def test_a_refresh_token_expires_and_takes_the_session_along(api: Api, clock: Clock) -> None:
    await given_account(api, "bob")
    access, token = tokens_of(await sign_in(api.anonymous, "bob"))
    clock.advance(seconds=600)
    assert oauth_error_of(await refresh(api.anonymous, token)) == WRONG
    now, _ = tokens_of(await sign_in(api.anonymous, "bob"))
    assert len((await api.anonymous.get("/auth/sessions", headers=bearer(now))).json()["data"]) == 1
    assert (await me(api.anonymous, access)).status_code == 401


def forged(prefix: str, random: str | None = None) -> str:
    """As ours are made, its checksum included; nobody gave it out."""
    body = prefix + (random or base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))
    return body + base64.urlsafe_b64encode(zlib.crc32(body.encode()).to_bytes(4)).decode().rstrip("=")


async def test_rubbish_is_refused_before_the_database_is_asked(api: Api, clock: Clock) -> None:
    access, token = await signed_in(api)
    other = "A" if access[10] != "A" else "B"
    rubbish = ["x", "", access[:-1] + ("A" if access[-1] != "A" else "B"), access[:10] + other + access[11:], token]
    refused: list[Any] = [b"\xff" * 54, "\t", *rubbish]
    with counted(api.database) as cost:
        for wrong in refused:
            raw = wrong if isinstance(wrong, bytes) else wrong.encode()
            answer = await api.anonymous.get("/users/me", headers={b"Authorization": b"Bearer " + raw})
            assert problem_of(answer) == (401, "not_authenticated")
            answer = await api.anonymous.post("/items", content=b"{", headers={b"Authorization": b"Bearer " + raw})
            assert problem_of(answer) == (401, "not_authenticated")
        for wrong in (access, token[:-1], "stwr_" + access[5:], "x"):
            assert oauth_error_of(await refresh(api.anonymous, wrong)) == WRONG
    assert cost.statements == []
    assert (await me(api.anonymous, access)).status_code == 200
    assert (await refresh(api.anonymous, token)).status_code == 200


async def test_a_right_checksum_alone_opens_nothing(api: Api, clock: Clock) -> None:
    access, token = await signed_in(api)
    assert problem_of(await me(api.anonymous, forged("stwa_"))) == (401, "token_revoked")
    assert oauth_error_of(await refresh(api.anonymous, forged("stwr_"))) == WRONG
    assert problem_of(await me(api.anonymous, forged("stwa_", token[5:48]))) == (401, "token_revoked")
    assert oauth_error_of(await refresh(api.anonymous, forged("stwr_", access[5:48]))) == WRONG


async def test_only_one_bearer_token_in_the_header_counts(api: Api, clock: Clock) -> None:
    access, _ = await signed_in(api)
    good = f"Bearer {access}"
    for headers in (
        [("Authorization", good), ("Authorization", good)],
        [("Authorization", access)],
        [("Authorization", f"Basic {access}")],
        [("Authorization", f"{good}, {good}")],
        [("Authorization", f"Bearer\t{access}")],
        [("Authorization", "")],
    ):
        answer = await api.anonymous.get("/users/me", headers=headers)
        assert problem_of(answer) == (401, "not_authenticated")
    assert problem_of(await api.anonymous.get(f"/users/me?access_token={access}")) == (401, "not_authenticated")
    assert (await api.anonymous.get("/users/me", headers={"Authorization": f"bearer  {access} "})).status_code == 200


def test_all_of_it_holds_after_a_restart(server_url: str) -> None:
    with StewardServer(server_url, refresh_token_grace=0) as server:
        first, kept = server.sign_in(), server.sign_in()
        second = _refresh(server, first["refresh_token"]).json()
    with StewardServer(server_url, refresh_token_grace=0) as server:
        assert _me(server, kept["access_token"]).status_code == 200
        assert _me(server, kept["refresh_token"]).status_code == 401
        assert _me(server, forged("stwa_")).json()["code"] == "token_revoked"
        assert _refresh(server, kept["access_token"]).status_code == 400
        assert _refresh(server, first["refresh_token"]).status_code == 400
        assert _refresh(server, second["refresh_token"]).status_code == 400
        assert _me(server, second["access_token"]).json()["code"] == "token_revoked"
        assert _refresh(server, kept["refresh_token"]).status_code == 200
        secret = [
            text for tokens in (first, second, kept) for text in (tokens["access_token"], tokens["refresh_token"])
        ]
        assert not [line for line in server.output + server.errors if any(text in line for text in secret)]


def _me(server: StewardServer, token: str) -> httpx2.Response:
    return server.client.get("/users/me", headers=bearer(token))


def _refresh(server: StewardServer, token: str) -> httpx2.Response:
    return server.client.post("/auth/token", data={"grant_type": "refresh_token", "refresh_token": token})
