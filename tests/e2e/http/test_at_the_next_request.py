"""What takes a right away, or gives one, holds at the next request, in every server process."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.e2e.http.callers import answer_of, bearer
from tests.e2e.http.matrix import PASSWORD
from tests.support.http import hold_to_the_contract
from tests.support.steward_server import StewardServer

_numbers = itertools.count(1)
_NEW = "tangerine trees 8"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A user with two sessions, as two processes see them: changed `here`, and asked for `there`."""

    here: httpx2.Client  # the admin's, unless it is told otherwise
    there: httpx2.Client
    id: int
    name: str
    token: str
    refresh_token: str
    other_token: str

    def asks(self, path: str = "/users/me", *, token: str | None = None) -> str:
        return answer_of(self.there.get(path, headers=bearer(token or self.token)))


@pytest.fixture(scope="module")
def servers(url_of_module: str) -> Iterator[tuple[StewardServer, StewardServer]]:
    """Two processes on one database."""
    with StewardServer(url_of_module) as first, StewardServer(url_of_module) as second:
        for server in (first, second):
            server.sign_in()
            hold_to_the_contract(server.client)
        yield first, second


@pytest.fixture(params=["the same process", "another process"])
def ada(servers: tuple[StewardServer, StewardServer], request: pytest.FixtureRequest) -> Somebody:
    here, there = servers[0].client, servers[request.param == "another process"].client
    name = f"ada{next(_numbers)}"
    sign_up = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    user_id: int = here.post("/users", json=sign_up).raise_for_status().json()["id"]
    one, two = _sign_in(here, name), _sign_in(there, name)
    ada = Somebody(here, there, user_id, name, one["access_token"], one["refresh_token"], two["access_token"])
    # Asked for before, so that anything that is remembered is remembered by now.
    assert [ada.asks(), ada.asks(token=ada.other_token), ada.asks("/users")] == ["200", "200", "403 forbidden"]
    return ada


def _sign_in(client: httpx2.Client, name: str) -> dict[str, Any]:
    form = {"grant_type": "password", "username": name, "password": PASSWORD}
    tokens: dict[str, Any] = client.post("/auth/token", data=form).raise_for_status().json()
    return tokens


def change(ada: Somebody, **changes: object) -> None:
    ada.here.patch(f"/users/{ada.id}", json=changes).raise_for_status()


def test_an_admin_who_is_made_one_may_at_once_and_one_who_is_not_any_more_may_not(ada: Somebody) -> None:
    change(ada, role="admin")
    assert ada.asks("/users") == "200"
    change(ada, role="member")
    assert ada.asks("/users") == "403 forbidden"


def log_out(ada: Somebody) -> None:
    ada.here.post("/auth/logout", headers=bearer(ada.token)).raise_for_status()


def end_the_session_from_the_other(ada: Somebody) -> None:
    mine = ada.here.get("/auth/sessions", headers=bearer(ada.token)).raise_for_status().json()["data"]
    (current,) = (each["id"] for each in mine if each["current"])
    ada.here.delete(f"/auth/sessions/{current}", headers=bearer(ada.other_token)).raise_for_status()


def change_the_password_in_the_other(ada: Somebody) -> None:
    passwords = {"current_password": PASSWORD, "new_password": _NEW}
    ada.here.put("/users/me/password", json=passwords, headers=bearer(ada.other_token)).raise_for_status()


def deactivate(ada: Somebody) -> None:
    change(ada, is_active=False)


def delete_themselves(ada: Somebody) -> None:
    ada.here.delete("/users/me", headers=bearer(ada.token)).raise_for_status()


def delete_by_an_admin(ada: Somebody) -> None:
    ada.here.delete(f"/users/{ada.id}").raise_for_status()


@pytest.mark.parametrize(
    ("end", "other_session"),
    [
        (log_out, "200"),
        (end_the_session_from_the_other, "200"),
        (change_the_password_in_the_other, "200"),
        (deactivate, "401 token_revoked"),
        (delete_themselves, "401 token_revoked"),
        (delete_by_an_admin, "401 token_revoked"),
    ],
)
def test_an_ended_session_is_worth_nothing_at_once(
    ada: Somebody, end: Callable[[Somebody], None], other_session: str
) -> None:
    end(ada)
    assert ada.asks() == "401 token_revoked"
    assert ada.asks(token=ada.other_token) == other_session
    exchange = {"grant_type": "refresh_token", "refresh_token": ada.refresh_token}
    assert answer_of(ada.there.post("/auth/token", data=exchange)) == "400 invalid_credentials"


def test_who_is_deactivated_and_activated_again_has_to_sign_in_anew(ada: Somebody) -> None:
    deactivate(ada)
    password = {"grant_type": "password", "username": ada.name, "password": PASSWORD}
    assert answer_of(ada.there.post("/auth/token", data=password)) == "400 invalid_credentials"
    change(ada, is_active=True)
    assert ada.asks() == "401 token_revoked"
    assert ada.asks(token=_sign_in(ada.there, ada.name)["access_token"]) == "200"


def test_after_a_change_of_password_the_old_one_opens_nothing(ada: Somebody) -> None:
    change_the_password_in_the_other(ada)
    old = {"grant_type": "password", "username": ada.name, "password": PASSWORD}
    assert answer_of(ada.there.post("/auth/token", data=old)) == "400 invalid_credentials"
    assert answer_of(ada.there.post("/auth/token", data={**old, "password": _NEW})) == "200"


def test_an_item_that_was_handed_over_is_its_givers_no_longer(ada: Somebody) -> None:
    box = ada.here.post("/items", json={"name": "Box", "owner_id": ada.id}).raise_for_status().json()["id"]
    assert ada.asks(f"/items/{box}") == "200"
    ada.here.post(f"/items/{box}/transfer", json={"to": "admin"}).raise_for_status()
    assert ada.asks(f"/items/{box}") == "404 item_not_found"
