"""What is limited, for whom, and what is not."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text
from steward.domain.errors import Overloaded
from steward.domain.users import PasswordHash, Role
from steward.service_layer.hashing import Verified
from steward.testing import FastHasher, given_item

from tests.support.http import Api, problem_of, serving
from tests.support.steward_server import StewardServer

from .signing_in import (
    LIMITED,
    PASSWORD,
    WRONG,
    bearer,
    calling_from,
    given_account,
    hashing_with,
    me,
    oauth_error_of,
    refresh,
    sign_in,
    tokens_of,
)

QUOTAS: dict[str, Any] = {
    "rate_limits": True,
    "rate_limit_sign_in": "10/1h",
    "rate_limit_sign_in_account": "15/1h",
    "rate_limit_sign_in_address": "40/1h",
    "rate_limit_sign_up": "3/1h",
    "rate_limit_password": "3/1h",
    "rate_limit_recipient": "20/1h",
}


class BusyHasher(FastHasher):
    async def verify(self, password: str, against: PasswordHash | None) -> Verified:
        raise Overloaded("Too many passwords are waiting")


@pytest_asyncio.fixture(scope="module")
async def api(url_of_module: str) -> AsyncIterator[Api]:
    async with serving(url_of_module, **QUOTAS) as api:
        yield api


@pytest.fixture
def hasher(api: Api) -> FastHasher:
    return FastHasher()


@pytest_asyncio.fixture(autouse=True)
async def counters_at_zero(api: Api, hasher: FastHasher) -> AsyncIterator[None]:
    async with api.database.session() as session:
        await session.execute(text("DELETE FROM attempt_counters"))
    with hashing_with(api, hasher):
        yield


async def counters(api: Api) -> int:
    """The sum of all counts."""
    async with api.database.reader() as session:
        return int((await session.execute(text("SELECT coalesce(sum(count), 0) FROM attempt_counters"))).scalar_one())


def assert_limited(answer: httpx2.Response, limit: str, quota: int) -> None:
    """draft-ietf-httpapi-ratelimit-headers: an RFC 9651 list of strings with integer parameters."""
    assert problem_of(answer) == (429, "rate_limited")
    assert answer.headers["RateLimit-Policy"] == f'"{limit}";q={quota};w=3600'
    left = re.fullmatch(rf'"{limit}";r=0;t=([1-9][0-9]*)', answer.headers["RateLimit"])
    assert left
    assert answer.headers["Retry-After"] == left[1]
    assert 1 <= int(left[1]) <= 3601  # of requests at one time, one that began later may have begun the window


async def test_of_fifty_parallel_guesses_no_more_than_the_limit_reach_the_hasher(api: Api, hasher: FastHasher) -> None:
    await given_account(api, "Ada")
    hasher.costs.clear()
    names = ["Ada", "ADA", "ada@example.org", "\uff21da", "Ada@EXAMPLE.org"] * 10
    answers = await asyncio.gather(*(sign_in(api.anonymous, name, f"guess {i}") for i, name in enumerate(names)))
    assert hasher.calls == 10
    outcomes = [oauth_error_of(answer) for answer in answers]
    assert (outcomes.count(WRONG), outcomes.count(LIMITED)) == (10, 40)
    for answer in answers:
        if answer.status_code == 429:
            assert_limited(answer, "sign-in", 10)
    assert oauth_error_of(await sign_in(api.anonymous, "Ada")) == LIMITED, "not even with the right password"
    assert hasher.calls == 10


async def test_a_right_password_within_the_limit_counts_for_nothing(api: Api) -> None:
    await given_account(api, "bea")
    for _ in range(20):
        assert (await sign_in(api.anonymous, "bea")).status_code == 200
    assert await counters(api) == 0
    for _ in range(9):
        await sign_in(api.anonymous, "bea", "wrong")
    for _ in range(5):
        assert (await sign_in(api.anonymous, "bea")).status_code == 200
    assert oauth_error_of(await sign_in(api.anonymous, "bea", "wrong")) == WRONG
    assert oauth_error_of(await sign_in(api.anonymous, "bea", "wrong")) == LIMITED


async def test_the_open_sessions_of_a_locked_account_go_on(api: Api) -> None:
    await given_account(api, "cleo")
    access, token = tokens_of(await sign_in(api.anonymous, "cleo"))
    for _ in range(11):
        locked = await sign_in(api.anonymous, "cleo", "wrong")
    assert oauth_error_of(locked) == LIMITED
    assert (await me(api.anonymous, access)).status_code == 200
    access, _ = tokens_of(await refresh(api.anonymous, token))
    assert (await api.anonymous.get("/auth/sessions", headers=bearer(access))).status_code == 200
    change = {"current_password": PASSWORD, "new_password": "another 8 swordfish"}
    answer = await api.anonymous.put("/users/me/password", json=change, headers=bearer(access))
    assert answer.status_code == 204


async def test_names_that_nobody_has_and_deactivated_users_are_limited_alike(api: Api) -> None:
    await given_account(api, "dora")
    await given_account(api, "gone", is_active=False)
    seen = []
    for address, name in enumerate(("dora", "gone", "nobody", "nobody@example.org", "-", "\N{SNOWMAN}")):
        async with calling_from(api, f"192.0.2.{address}") as client:
            answers = [await sign_in(client, name.upper() if i % 2 else name, "wrong") for i in range(12)]
        seen.append([(oauth_error_of(answer), answer.headers.get("RateLimit-Policy")) for answer in answers])
    assert seen == [[(WRONG, None)] * 10 + [(LIMITED, '"sign-in";q=10;w=3600')] * 2] * 6


async def test_one_address_does_not_lock_an_account_for_all_but_many_do(api: Api) -> None:
    await given_account(api, "emma")
    async with (
        calling_from(api, "192.0.2.1") as one,
        calling_from(api, "2001:db8:0:1::1") as two,
        calling_from(api, "2001:db8:0:1:ffff::9") as neighbour_of_two,
        calling_from(api, "198.51.100.1") as three,
    ):
        for _ in range(30):
            answer = await sign_in(one, "emma", "wrong")
        assert_limited(answer, "sign-in", 10)
        assert (await sign_in(two, "emma")).status_code == 200
        for client in (two, neighbour_of_two, two, neighbour_of_two, two):
            assert oauth_error_of(await sign_in(client, "emma", "wrong")) == WRONG
        assert_limited(await sign_in(three, "emma"), "sign-in-account", 15)


async def test_one_address_does_not_try_all_accounts(api: Api, hasher: FastHasher) -> None:
    async with calling_from(api, "192.0.2.1") as client, calling_from(api, "192.0.2.2") as other:
        answers = [await sign_in(client, f"user{number}", "password1") for number in range(42)]
        assert [answer.status_code for answer in answers] == [400] * 40 + [429] * 2
        assert_limited(answers[-1], "sign-in-address", 40)
        assert oauth_error_of(await sign_in(other, "user1", "password1")) == WRONG
    assert hasher.calls == 41


async def test_an_attempt_that_could_not_be_made_counts_for_nothing(api: Api) -> None:
    await given_account(api, "fay")
    with hashing_with(api, BusyHasher()):
        for _ in range(11):
            assert (await sign_in(api.anonymous, "fay")).json()["error"] == "temporarily_unavailable"
    assert await counters(api) == 0


async def test_signing_up_is_limited_by_address_whatever_comes_of_it(api: Api) -> None:
    def body(name: str) -> dict[str, str]:
        return {"username": name, "email": f"{name}@example.org", "password": PASSWORD}

    async with calling_from(api, "192.0.2.1") as client, calling_from(api, "192.0.2.2") as other:
        for wrong in ({}, body("x"), body("new") | {"password": "short"}, body("new") | {"role": "admin"}):
            assert (await client.post("/users", json=wrong)).status_code == 422
        for name, status in (("grace", 201), ("grace", 409), ("GRACE", 409)):
            assert (await client.post("/users", json=body(name))).status_code == status
        for name in ("grace", "new", "another"):
            assert_limited(await client.post("/users", json=body(name)), "sign-up", 3)
        assert (await other.post("/users", json=body("new"))).status_code == 201
        admin = {"Authorization": api.client.headers["Authorization"]}
        for number in range(5):
            assert (await client.post("/users", json=body(f"made{number}"), headers=admin)).status_code == 201


async def test_changing_a_password_is_limited_by_user(api: Api, hasher: FastHasher) -> None:
    new = "another 8 swordfish"
    sessions = {}
    for name in ("hana", "iris"):
        await given_account(api, name)
        sessions[name], _ = tokens_of(await sign_in(api.anonymous, name))

    async def change(name: str, current: str, new: str) -> httpx2.Response:
        body = {"current_password": current, "new_password": new}
        return await api.anonymous.put("/users/me/password", json=body, headers=bearer(sessions[name]))

    for current, to in ((PASSWORD, new), (new, PASSWORD)) * 2:
        assert (await change("hana", current, to)).status_code == 204
    hasher.costs.clear()
    answers = await asyncio.gather(*(change("hana", f"wrong {number}", new) for number in range(20)))
    assert sorted(answer.status_code for answer in answers) == [422] * 3 + [429] * 17
    assert hasher.calls == 3
    assert_limited(await change("hana", PASSWORD, new), "password", 3)
    assert (await change("iris", PASSWORD, new)).status_code == 204


async def test_transfers_to_nobody_are_limited_and_then_to_somebody_too(api: Api) -> None:
    jana, kate = await given_account(api, "jana"), await given_account(api, "kate")
    await given_account(api, "left", is_active=False)
    box, lid = await given_item(api.database, owner=jana, quantity=100), await given_item(api.database, owner=jana)
    jana_speaks, kate_speaks = await api.bearer(jana.id), await api.bearer(kate.id)

    async def transfer(to: object, headers: dict[str, str] = jana_speaks, item: int = box.id) -> httpx2.Response:
        return await api.anonymous.post(f"/items/{item}/transfer", json={"to": to, "quantity": 1}, headers=headers)

    for _ in range(25):
        assert (await transfer("KATE")).status_code == 200
        assert (await transfer({"user_id": kate.id})).status_code == 200
        assert (await transfer({"item_id": lid.id})).status_code == 200
    assert (await transfer({"item_id": 2**62})).status_code == 422
    assert await counters(api) == 0, "nothing else writes a counter"

    nobodies: list[object] = ["nobody", {"user_id": 2**62}, "left", "jana", "\N{SNOWMAN}"]
    for number in range(20):
        assert problem_of(await transfer(nobodies[number % 5])) == (422, "unknown_recipient")
    for to in ("nobody", "kate", {"user_id": kate.id}):
        assert_limited(await transfer(to), "recipient", 20)
    assert (await transfer({"item_id": lid.id})).status_code == 200
    assert problem_of(await transfer("nobody", kate_speaks)) == (404, "item_not_found")
    own = await given_item(api.database, owner=kate, quantity=9)
    assert (await transfer("jana", kate_speaks, own.id)).status_code == 200


async def test_so_is_deleting_oneself_and_handing_over_to_nobody(api: Api) -> None:
    lena = await given_account(api, "lena")
    await given_item(api.database, owner=lena)
    headers = await api.bearer(lena.id)

    async def delete(to: int) -> httpx2.Response:
        return await api.anonymous.delete(f"/users/me?items=transfer&to={to}", headers=headers)

    for _ in range(20):
        assert problem_of(await delete(2**62)) == (422, "unknown_recipient")
    mona = await given_account(api, "mona")
    for to in (2**62, mona.id):
        assert_limited(await delete(to), "recipient", 20)
    assert (await api.anonymous.delete("/users/me?items=delete", headers=headers)).status_code == 204


async def test_off_means_that_nothing_is_counted(url_of_module: str) -> None:
    async with serving(url_of_module, **QUOTAS | {"rate_limits": False}) as api:
        with hashing_with(api, FastHasher()) as hasher:
            for _ in range(45):
                assert oauth_error_of(await sign_in(api.anonymous, "nobody", "wrong")) == WRONG
        assert (hasher.calls, await counters(api)) == (45, 0)


async def test_an_admin_is_limited_like_anybody_at_signing_in(api: Api) -> None:
    await given_account(api, "boss", role=Role.ADMIN)
    for _ in range(10):
        await sign_in(api.anonymous, "boss", "wrong")
    assert_limited(await sign_in(api.anonymous, "boss"), "sign-in", 10)


@pytest.mark.parametrize("trusted", [{}, {"trusted_proxies": "192.0.2.0/24"}])
def test_nobody_escapes_by_claiming_to_come_from_elsewhere(sqlite_url: str, trusted: dict[str, str]) -> None:
    limits = {"rate_limits": True, "rate_limit_sign_in_address": "2/1h", **trusted}
    form = {"grant_type": "password", "username": "nobody", "password": "wrong"}
    with StewardServer(sqlite_url, **limits) as server:
        statuses = [
            server.client.post(
                "/auth/token",
                data=form | {"username": f"nobody{number}"},
                headers={"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"},
            ).status_code
            for number in range(4)
        ]
    assert statuses == [400, 400, 429, 429]
