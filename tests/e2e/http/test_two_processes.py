"""Two server processes on one database: what one of them does, the other one knows at the next request."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.http import hold_to_the_contract
from tests.support.steward_server import ADMIN_PASSWORD, PATIENT, StewardServer

from .signing_in import bearer

LIMITS = {
    **PATIENT,
    "rate_limits": True,
    "rate_limit_sign_in": "4/1h",
    "rate_limit_sign_up": "4/1h",
    "rate_limit_recipient": "4/1h",
}
NEW = "another 8 swordfish"
Pair = tuple[StewardServer, StewardServer]
Tokens = dict[str, Any]


@pytest.fixture(scope="module")
def two(url_of_module: str) -> Iterator[Pair]:
    with StewardServer(url_of_module, **LIMITS) as one, StewardServer(url_of_module, **LIMITS) as other:
        hold_to_the_contract(one.client)
        hold_to_the_contract(other.client)
        yield one, other


def me(server: StewardServer, tokens: Tokens) -> httpx2.Response:
    return server.client.get("/users/me", headers=bearer(tokens["access_token"]))


def post_form(server: StewardServer, **form: str) -> httpx2.Response:
    return server.client.post("/auth/token", data=form)


def guess(server: StewardServer, username: str, password: str = "wrong") -> int:
    return post_form(server, grant_type="password", username=username, password=password).status_code


def refreshed(server: StewardServer, tokens: Tokens) -> httpx2.Response:
    return post_form(server, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def sign_up(server: StewardServer, username: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    body = {"username": username, "email": f"{username}@example.org", "password": ADMIN_PASSWORD}
    return server.client.post("/users", json=body, headers=headers)


def test_what_ends_in_one_process_has_ended_in_the_other(two: Pair) -> None:
    one, other = two
    first, second, third = (one.sign_in() for _ in range(3))
    assert me(other, first).status_code == 200

    one.client.post("/auth/logout", headers=bearer(first["access_token"])).raise_for_status()
    assert me(other, first).json()["code"] == "token_revoked"
    assert refreshed(other, first).status_code == 400

    sessions = other.client.get("/auth/sessions", headers=bearer(third["access_token"])).json()["data"]
    (of_second,) = [session["id"] for session in sessions if not session["current"]]
    other.client.delete(f"/auth/sessions/{of_second}", headers=bearer(third["access_token"])).raise_for_status()
    assert me(one, second).json()["code"] == "token_revoked"

    exchanged = refreshed(other, third).json()
    assert me(one, exchanged).status_code == 200
    assert refreshed(one, exchanged).status_code == 200
    assert refreshed(other, third).status_code == 400, "its successor was used, in the other process"
    assert me(one, exchanged).json()["code"] == "token_revoked"


def given_user(server: StewardServer, username: str) -> int:
    """By the admin, who is not limited. The id."""
    admin = bearer(server.sign_in()["access_token"])
    del server.client.headers["Authorization"]
    user_id: int = sign_up(server, username, headers=admin).json()["id"]
    return user_id


def test_a_new_password_in_one_process_ends_the_sessions_in_the_other(two: Pair) -> None:
    one, other = two
    given_user(one, "hana")
    here, elsewhere = one.sign_in("hana"), other.sign_in("hana")
    change = {"current_password": ADMIN_PASSWORD, "new_password": NEW}
    one.client.put("/users/me/password", json=change, headers=bearer(here["access_token"])).raise_for_status()
    assert me(other, here).status_code == 200
    assert me(other, elsewhere).json()["code"] == "token_revoked"
    assert guess(other, "hana", ADMIN_PASSWORD) == 400
    assert guess(other, "hana", NEW) == 200


def test_what_a_user_may_do_changes_in_both(two: Pair) -> None:
    one, other = two
    user_id = given_user(one, "iris")
    admin, tokens = one.sign_in(), other.sign_in("iris")
    for change, status in (
        ({"role": "admin"}, 200),
        ({"role": "member"}, 403),
        ({"is_active": False}, 401),
        ({"is_active": True}, 401),
    ):
        changed = one.client.patch(f"/users/{user_id}", json=change, headers=bearer(admin["access_token"]))
        assert changed.status_code == 200
        assert other.client.get("/users", headers=bearer(tokens["access_token"])).status_code == status


def test_both_count_against_one_limit_and_so_does_one_that_starts_later(two: Pair, url_of_module: str) -> None:
    one, other = two
    in_turns = [one, other] * 3
    given_user(one, "jana")
    session = one.sign_in("jana")
    mine = bearer(session["access_token"])
    assert [guess(server, "JANA") for server in in_turns] == [400] * 4 + [429] * 2
    assert guess(other, "jana@example.org", ADMIN_PASSWORD) == 429
    assert [guess(server, "nobody") for server in in_turns] == [400] * 4 + [429] * 2

    del one.client.headers["Authorization"]
    other.client.headers.pop("Authorization", None)
    names = ["ada", "ada", "bob", "bob", "cid", "dan"]
    ups = [sign_up(server, name).status_code for server, name in zip(in_turns, names, strict=True)]
    assert ups == [201, 409, 201, 409, 429, 429]

    box = one.client.post("/items", json={"name": "Box"}, headers=mine).json()
    path = f"/items/{box['id']}/transfer"
    transfers = [server.client.post(path, json={"to": "nobody"}, headers=mine) for server in in_turns]
    assert [transfer.status_code for transfer in transfers] == [422] * 4 + [429] * 2

    with StewardServer(url_of_module, **LIMITS) as later:
        assert guess(later, "jana", ADMIN_PASSWORD) == 429
        assert guess(later, "nobody") == 429
        assert sign_up(later, "eve").status_code == 429
        assert later.client.post(path, json={"to": "ada"}, headers=mine).status_code == 429
        assert me(later, session).status_code == 200
