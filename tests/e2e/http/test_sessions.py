"""What users see of their sessions, and what ends them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from steward.domain.users import Role
from steward.testing import FastHasher

from tests.support.http import Api, problem_of

from .signing_in import (
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

NEW = "another 8 swordfish"


@pytest_asyncio.fixture(scope="module", autouse=True)
async def hasher(api: Api) -> AsyncIterator[FastHasher]:
    with hashing_with(api, FastHasher()) as hasher:
        yield hasher


async def listed(api: Api, access: str) -> list[dict[str, Any]]:
    answer = await api.anonymous.get("/auth/sessions", headers=bearer(access))
    assert answer.status_code == 200
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def signed_in(api: Api, username: str, password: str = PASSWORD) -> tuple[str, str]:
    return tokens_of(await sign_in(api.anonymous, username, password))


async def assert_ended(api: Api, access: str, refresh_token: str) -> None:
    assert problem_of(await me(api.anonymous, access)) == (401, "token_revoked")
    assert oauth_error_of(await refresh(api.anonymous, refresh_token)) == WRONG


async def assert_goes_on(api: Api, access: str) -> None:
    assert (await me(api.anonymous, access)).status_code == 200


async def test_sessions_are_listed_the_newest_first_with_where_they_come_from(api: Api) -> None:
    await given_account(api, "ada")
    async with calling_from(api, "192.0.2.7") as laptop, calling_from(api, "2001:db8::7") as phone:
        first, _ = tokens_of(await sign_in(laptop, "ada", **{"User-Agent": "Laptop/1.0"}))
        second, _ = tokens_of(await sign_in(phone, "ada@example.org", **{"User-Agent": "Phone/2.0"}))
    sessions = await listed(api, first)
    assert [(s["user_agent"], s["address"], s["current"]) for s in sessions] == [
        ("Phone/2.0", "2001:db8::7", False),
        ("Laptop/1.0", "192.0.2.7", True),
    ]
    assert [s["current"] for s in await listed(api, second)] == [True, False]
    assert sessions[0]["id"] > sessions[1]["id"]
    lifetime = datetime.fromisoformat(sessions[0]["expires_at"]) - datetime.fromisoformat(sessions[0]["created_at"])
    assert lifetime == timedelta(days=30)


async def test_an_address_is_kept_without_its_zone_however_long(api: Api) -> None:
    await given_account(api, "zoe")
    async with calling_from(api, "fe80::7%" + "z" * 100) as client:
        access, _ = tokens_of(await sign_in(client, "zoe"))
    assert [session["address"] for session in await listed(api, access)] == ["fe80::7"]


async def test_a_refresh_prolongs_the_session_that_it_is_of(api: Api) -> None:
    await given_account(api, "bea")
    access, token = await signed_in(api, "bea")
    (before,) = await listed(api, access)
    next_access, _ = tokens_of(await refresh(api.anonymous, token))
    (after,) = await listed(api, next_access)
    assert (after["id"], after["created_at"], after["current"]) == (before["id"], before["created_at"], True)
    assert after["refreshed_at"] > before["refreshed_at"]
    assert after["expires_at"] > before["expires_at"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"", None),
        (b"x" * 5000, "x" * 255),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"'; DROP TABLE sessions; --", "'; DROP TABLE sessions; --"),
        (b"a\tb\x1b[31mc\x7f\x80\x85\xa0\xadd", "a b [31mc     d"),
        (b"\xc3\xa9\xff%00{}", "Ã©ÿ%00{}"),
    ],
)
async def test_what_a_client_calls_itself_is_kept_as_far_as_it_can_be_shown(
    api: Api, sent: bytes, kept: str | None
) -> None:
    user = await given_account(api, f"agent{abs(hash(sent))}")
    headers: Any = {b"User-Agent": sent}
    form = {"grant_type": "password", "username": user.username, "password": PASSWORD}
    access, _ = tokens_of(await api.anonymous.post("/auth/token", data=form, headers=headers))
    assert [session["user_agent"] for session in await listed(api, access)] == [kept]


async def test_logouts_that_race_find_done_what_they_asked_for(api: Api) -> None:
    await given_account(api, "clio")
    access, _ = await signed_in(api, "clio")
    answers = await asyncio.gather(*(api.anonymous.post("/auth/logout", headers=bearer(access)) for _ in range(4)))
    assert {204} <= {answer.status_code for answer in answers} <= {204, 401}  # 401: whoever came after the end


async def test_a_logout_ends_this_session_at_once_and_no_other(api: Api) -> None:
    await given_account(api, "cleo")
    here, elsewhere = await signed_in(api, "cleo"), await signed_in(api, "cleo")
    answer = await api.anonymous.post("/auth/logout", headers=bearer(here[0]))
    assert (answer.status_code, answer.content) == (204, b"")
    await assert_ended(api, *here)
    assert problem_of(await api.anonymous.post("/auth/logout", headers=bearer(here[0]))) == (401, "token_revoked")
    assert len(await listed(api, elsewhere[0])) == 1


async def test_one_may_end_each_of_ones_own_sessions(api: Api) -> None:
    await given_account(api, "dora")
    here, elsewhere = await signed_in(api, "dora"), await signed_in(api, "dora")
    ids = [session["id"] for session in await listed(api, here[0])]
    for session_id, ended in zip(ids, (elsewhere, here), strict=True):
        answer = await api.anonymous.delete(f"/auth/sessions/{session_id}", headers=bearer(here[0]))
        assert answer.status_code == 204
        await assert_ended(api, *ended)


async def test_anothers_session_does_not_exist_not_even_for_an_admin(api: Api) -> None:
    await given_account(api, "emma")
    await given_account(api, "fay")
    await given_account(api, "boss", role=Role.ADMIN)
    emma, fay, boss = [await signed_in(api, name) for name in ("emma", "fay", "boss")]
    (session,) = await listed(api, emma[0])
    missing = await api.anonymous.delete(f"/auth/sessions/{2**62}", headers=bearer(fay[0]))
    assert problem_of(missing) == (404, "session_not_found")
    for other in (fay, boss):
        answer = await api.anonymous.delete(f"/auth/sessions/{session['id']}", headers=bearer(other[0]))
        assert problem_of(answer) == (404, "session_not_found")
        assert answer.json()["detail"] == missing.json()["detail"].replace(str(2**62), str(session["id"]))
    await assert_goes_on(api, emma[0])


@pytest.mark.parametrize("session_id", ["0", "-1", "x", "me", str(2**63), "9" * 5000, "%00", "1.0"])
async def test_what_is_no_id_is_refused(api: Api, session_id: str) -> None:
    await given_account(api, f"gina{abs(hash(session_id))}")
    access, _ = await signed_in(api, f"gina{abs(hash(session_id))}")
    answer = await api.anonymous.delete(f"/auth/sessions/{session_id}", headers=bearer(access))
    assert problem_of(answer) == (422, "invalid_request")


async def test_a_new_password_ends_every_session_but_this_one(api: Api) -> None:
    await given_account(api, "hana")
    here, elsewhere = await signed_in(api, "hana"), await signed_in(api, "hana")
    change = {"current_password": PASSWORD, "new_password": NEW}
    answer = await api.anonymous.put("/users/me/password", json=change, headers=bearer(here[0]))
    assert (answer.status_code, answer.content) == (204, b"")
    await assert_ended(api, *elsewhere)
    await assert_goes_on(api, tokens_of(await refresh(api.anonymous, here[1]))[0])
    assert oauth_error_of(await sign_in(api.anonymous, "hana")) == WRONG
    await signed_in(api, "hana", NEW)


@pytest.mark.parametrize(
    ("current", "new", "pointer", "code"),
    [
        ("wrong", NEW, "/current_password", "wrong_password"),
        ("", NEW, "/current_password", "too_short"),
        (PASSWORD + "\0", NEW, "/current_password", "control_character"),
        (PASSWORD, "short", "/new_password", "too_short"),
        (PASSWORD, "x" * 129, "/new_password", "too_long"),
        (PASSWORD, "password1", "/new_password", "common_password"),
        (PASSWORD, "a\nb\nc\nd\ne", "/new_password", "control_character"),
    ],
)
async def test_a_password_is_changed_by_whoever_knows_it_to_one_that_is_allowed(
    api: Api, current: str, new: str, pointer: str, code: str
) -> None:
    name = f"iris{abs(hash((current, new)))}"
    await given_account(api, name)
    here, elsewhere = await signed_in(api, name), await signed_in(api, name)
    change = {"current_password": current, "new_password": new}
    answer = await api.anonymous.put("/users/me/password", json=change, headers=bearer(here[0]))
    assert problem_of(answer) == (422, "invalid_request")
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]
    await assert_goes_on(api, elsewhere[0])


async def test_deactivation_ends_all_sessions_for_good(api: Api) -> None:
    user = await given_account(api, "jana")
    session = await signed_in(api, "jana")
    assert (await _patch(api, user.id, is_active=False)).status_code == 200
    await assert_ended(api, *session)
    assert (await _patch(api, user.id, is_active=True)).status_code == 200
    await assert_ended(api, *session)
    await signed_in(api, "jana")


async def test_deletion_ends_all_sessions(api: Api) -> None:
    user = await given_account(api, "kate")
    session = await signed_in(api, "kate")
    assert (await api.client.delete(f"/users/{user.id}")).status_code == 204
    await assert_ended(api, *session)
    assert oauth_error_of(await sign_in(api.anonymous, "kate")) == WRONG


async def test_another_role_holds_from_the_next_request_on(api: Api) -> None:
    user = await given_account(api, "lena")
    access, _ = await signed_in(api, "lena")
    for role, status in (("admin", 200), ("member", 403)):
        assert (await _patch(api, user.id, role=role)).status_code == 200
        assert (await api.anonymous.get("/users", headers=bearer(access))).status_code == status


async def test_a_user_has_a_hundred_sessions_at_most(api: Api) -> None:
    await given_account(api, "mara")
    oldest, second = await signed_in(api, "mara"), await signed_in(api, "mara")
    used = tokens_of(await refresh(api.anonymous, oldest[1]))
    for _ in range(99):
        newest = await signed_in(api, "mara")
    assert len(await listed(api, newest[0])) == 100
    await assert_ended(api, *second)
    await assert_goes_on(api, used[0])


async def _patch(api: Api, user_id: int, **changes: object) -> httpx2.Response:
    return await api.client.patch(f"/users/{user_id}", json=changes)
