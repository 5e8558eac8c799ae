"""Two server processes on one database: a list that is walked through both, while others write through both."""

import threading
from collections.abc import Iterator
from typing import Any, Self

import pytest

from tests.support.http import hold_to_the_contract
from tests.support.steward_server import StewardServer

from .signing_in import bearer

Pair = tuple[StewardServer, StewardServer]


@pytest.fixture(scope="module")
def two(url_of_module: str) -> Iterator[Pair]:
    with StewardServer(url_of_module) as one, StewardServer(url_of_module) as other:
        for server in (one, other):
            hold_to_the_contract(server.client)
            server.sign_in()
        yield one, other


def given_owner(server: StewardServer, name: str) -> int:
    body = {"username": name, "email": f"{name}@example.org", "password": "correct horse"}
    return int(server.client.post("/users", json=body).raise_for_status().json()["id"])


def signed_in(server: StewardServer, username: str) -> dict[str, str]:
    form = {"grant_type": "password", "username": username, "password": "correct horse"}
    return bearer(server.client.post("/auth/token", data=form).json()["access_token"])


def given_item(server: StewardServer, owner_id: int, name: str, quantity: int) -> dict[str, Any]:
    body = {"owner_id": owner_id, "name": name, "quantity": quantity}
    item: dict[str, Any] = server.client.post("/items", json=body).raise_for_status().json()
    return item


def walk(two: Pair, path: str) -> list[dict[str, Any]]:
    """Each page is asked of the other server."""
    found: list[dict[str, Any]] = []
    following: str | None = path
    while following is not None:
        two = two[::-1]
        answer = two[0].client.get(following)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        following = answer.links.get("next", {}).get("url")
    return found


class Others:
    """A thread that adds, renames and deletes items of its own through a server, until it is left."""

    def __init__(self, server: StewardServer, owner_id: int) -> None:
        self._server = server
        self._owner_id = owner_id
        self._has_begun, self._enough = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.rounds = 0

    def _write(self) -> None:
        while not self._enough.is_set():
            for name in ("Item 0", "Item 1", "Item 2"):
                item = given_item(self._server, self._owner_id, f"{name} of others", self.rounds % 3)
                changes = {"name": f"other {name}", "quantity": 2}
                self._server.client.patch(f"/items/{item['id']}", json=changes).raise_for_status()
                if self.rounds % 2:
                    self._server.client.delete(f"/items/{item['id']}").raise_for_status()
            self.rounds += 1
            self._has_begun.set()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._has_begun.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()


def test_what_is_there_throughout_appears_once_in_any_order(two: Pair) -> None:
    owner_id = given_owner(two[0], "walked")
    there = [given_item(two[number % 2], owner_id, f"Item {number % 3}", number % 2)["id"] for number in range(30)]
    with Others(two[0], owner_id), Others(two[1], owner_id):
        for sort in (
            "-id",
            "id",
            "name",
            "-name",
            "-quantity,name",
            "quantity,-created_at",
            "-created_at",
            "updated_at",
        ):
            found = [item["id"] for item in walk(two, f"/users/{owner_id}/items?limit=10&sort={sort}&max_quantity=2")]
            assert [found.count(item_id) for item_id in there] == [1] * 30, sort
            if sort in ("id", "-id", "-created_at"):  # what no change touches
                assert len(found) == len(set(found))


def test_a_page_and_its_count_agree_while_others_write(two: Pair) -> None:
    owner_id = given_owner(two[0], "counted")
    with Others(two[0], owner_id), Others(two[1], owner_id):
        for number in range(40):
            page = two[number % 2].client.get(f"/users/{owner_id}/items?limit=200&count=true").json()
            if page["next_cursor"] is None:
                assert page["count"] == len(page["data"])


def test_a_cursor_of_one_caller_is_nothing_to_another_in_either_process(two: Pair) -> None:
    one, other = two
    owner_id = given_owner(one, "owner")
    given_owner(one, "stranger")
    for number in range(2):
        given_item(one, owner_id, f"Item {number}", 1)
    as_owner, as_stranger = signed_in(one, "owner"), signed_in(one, "stranger")
    cursor = one.client.get("/items?limit=1", headers=as_owner).json()["next_cursor"]
    assert other.client.get(f"/items?cursor={cursor}", headers=as_owner).json()["data"][0]["name"] == "Item 0"
    assert other.client.get(f"/items?cursor={cursor}", headers=as_stranger).json()["code"] == "invalid_cursor"
