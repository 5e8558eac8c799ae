"""Two server processes on one database, and many clients of both: no double effect, no lost update, no row that a
walk through the pages repeats or misses."""

import base64
import hashlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import httpx2
import pytest

from tests.support.steward_server import StewardServer

Pair = tuple[StewardServer, StewardServer]
Result = TypeVar("Result")

CLIENTS = 8
COME_BACK = ("overloaded", "database_unavailable", "deadline_exceeded", "idempotency_key_in_use", "conflict")


@pytest.fixture(scope="module")
def two(url_of_module: str) -> Iterator[Pair]:
    with StewardServer(url_of_module) as one, StewardServer(url_of_module) as other:
        one.sign_in()
        other.client.headers["Authorization"] = one.client.headers["Authorization"]
        yield one, other


def by_clients(servers: Pair, work: Callable[[httpx2.Client, int], Result]) -> list[Result]:
    """`work` by each of many clients, half of them of one server and half of the other, at the same time."""
    start = threading.Barrier(CLIENTS)

    def begin(number: int) -> Result:
        server = servers[number % 2]
        with httpx2.Client(base_url=server.url, headers=server.client.headers, timeout=60) as client:
            start.wait()
            return work(client, number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(begin, range(CLIENTS)))


def until_done(client: httpx2.Client, method: str, path: str, **request: Any) -> httpx2.Response:
    """As a client does: again, when the server says that nothing was stored and to come back."""
    for _ in range(100):
        answer = client.request(method, path, **request)
        if not answer.is_error or answer.json()["code"] not in COME_BACK:
            return answer
    raise AssertionError(answer.text)


def new_item(server: StewardServer, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = server.client.post("/items", json={"name": "Box", **fields}).raise_for_status().json()
    return made


def test_a_key_has_one_effect_whoever_sends_it_and_whenever(two: Pair) -> None:
    rounds = 20
    box = new_item(two[0], quantity=2 * rounds)
    bob = {"username": "bob", "email": "bob@example.org", "password": "correct horse"}
    two[0].client.post("/users", json=bob).raise_for_status()

    def send(client: httpx2.Client, _: int) -> list[tuple[int, bytes]]:
        answers = []
        for number in range(rounds):
            headers = {"Idempotency-Key": f"transfer-{number}"}
            body = {"to": "bob", "quantity": 1}
            done = until_done(client, "POST", f"/items/{box['id']}/transfer", json=body, headers=headers)
            answers.append((done.status_code, done.content))
        return answers

    first, *others = by_clients(two, send)
    assert all(other == first for other in others)
    assert {status for status, _ in first} == {200}
    assert len({content for _, content in first}) == rounds
    assert two[1].client.get(f"/items/{box['id']}").json()["quantity"] == rounds


def test_keys_of_creates_and_changes_have_one_effect_too(two: Pair) -> None:
    box = new_item(two[0])
    name = f"hammered {box['id']}"

    def send(client: httpx2.Client, _: int) -> tuple[bytes, bytes]:
        headers = {"Idempotency-Key": f"once-{box['id']}"}
        created = until_done(client, "POST", "/items", json={"name": name}, headers=headers)
        headers = {"Idempotency-Key": f"change-{box['id']}", "If-Match": f'"{box["id"]}-1"'}
        changed = until_done(client, "PATCH", f"/items/{box['id']}", json={"quantity": 7}, headers=headers)
        assert (created.status_code, changed.status_code) == (201, 200), (created.text, changed.text)
        return created.content, changed.content

    assert len(set(by_clients(two, send))) == 1
    assert len(two[0].client.get("/items", params={"name": name}).json()["data"]) == 1
    assert two[1].client.get(f"/items/{box['id']}").json()["version"] == 2


def test_no_update_that_names_its_version_is_lost(two: Pair) -> None:
    box = new_item(two[0], quantity=0)
    path = f"/items/{box['id']}"

    def increment(client: httpx2.Client, number: int) -> int:
        refused = 0
        for _ in range(10):
            while True:
                read = client.get(path).raise_for_status()
                wanted = {"quantity": read.json()["quantity"] + 1, "attributes": {str(number): refused}}
                changed = until_done(client, "PATCH", path, json=wanted, headers={"If-Match": read.headers["ETag"]})
                if changed.status_code == 200:
                    break
                assert changed.json()["code"] == "version_mismatch"
                refused += 1
        return refused

    by_clients(two, increment)
    left = two[0].client.get(path).json()
    assert (left["quantity"], left["version"]) == (10 * CLIENTS, 10 * CLIENTS + 1)
    assert left["attributes"].keys() == {str(number) for number in range(CLIENTS)}


def test_changes_of_different_members_are_merged_whoever_comes_first(two: Pair) -> None:
    """Without a version: whoever loses a race inside the server is merged again into what the other one has left."""
    box = new_item(two[0])
    path = f"/items/{box['id']}"

    def patch(client: httpx2.Client, number: int) -> None:
        for turn in range(5):
            merged = until_done(client, "PATCH", path, json={"attributes": {f"{number}": {f"{turn}": True}}})
            assert merged.status_code == 200, merged.text

    by_clients(two, patch)
    left = two[1].client.get(path).json()
    every_turn = {f"{turn}": True for turn in range(5)}
    assert left["attributes"] == {f"{number}": every_turn for number in range(CLIENTS)}
    assert left["version"] == 1 + 5 * CLIENTS


def test_who_loses_a_race_inside_the_server_does_not_hear_of_it(two: Pair) -> None:
    """Two who change one item at the same moment, each through another process, without a version and without coming
    back: the one who was late is read again and merged again there."""
    turns = 20
    path = f"/items/{new_item(two[0])['id']}"
    together = threading.Barrier(2, timeout=60)

    def patch(server: StewardServer) -> list[str]:
        told = []
        with httpx2.Client(base_url=server.url, headers=server.client.headers, timeout=60) as client:
            for turn in range(turns):
                together.wait()
                told.append(client.patch(path, json={"attributes": {server.url: turn}}).json().get("code", "done"))
        return told

    with ThreadPoolExecutor(2) as pool:
        told = [*pool.map(patch, two)]
    assert told == [["done"] * turns] * 2
    left = two[0].client.get(path).json()
    assert left["attributes"] == {server.url: turns - 1 for server in two}
    assert left["version"] == 1 + 2 * turns


def test_imports_and_sign_ups_under_a_key_happen_once(two: Pair) -> None:
    lines = b"".join(b'{"name": "imported once", "quantity": %d}\n' % number for number in range(300))
    digest = base64.b64encode(hashlib.sha256(lines).digest()).decode()
    import_ = {
        "Idempotency-Key": "import-1",
        "Content-Type": "application/x-ndjson",
        "Content-Digest": f"sha-256=:{digest}:",
    }
    eve = {"username": "eve", "email": "eve@example.org", "password": "correct horse"}

    def send(client: httpx2.Client, _: int) -> tuple[bytes, bytes]:
        imported = until_done(client, "POST", "/items/import", content=lines, headers=import_)
        del client.headers["Authorization"]
        signed_up = until_done(client, "POST", "/users", json=eve, headers={"Idempotency-Key": "sign-up-1"})
        assert (imported.status_code, signed_up.status_code) == (200, 201), (imported.text, signed_up.text)
        return imported.content, signed_up.content

    assert len(set(by_clients(two, send))) == 1
    assert two[0].client.get("/items", params={"name": "imported once", "count": "true"}).json()["count"] == 300


def test_of_two_who_delete_or_change_the_same_version_one_wins(two: Pair) -> None:
    boxes = [new_item(two[0]) for _ in range(15)]

    def race(client: httpx2.Client, number: int) -> list[int]:
        statuses = []
        for box in boxes:
            request = {"headers": {"If-Match": f'"{box["id"]}-1"'}}
            if number % 4 < 2:
                done = until_done(client, "DELETE", f"/items/{box['id']}", **request)
            else:
                done = until_done(client, "PATCH", f"/items/{box['id']}", json={"name": "Lid"}, **request)
            statuses.append(done.status_code)
        return statuses

    for outcomes in zip(*by_clients(two, race), strict=True):
        assert Counter(status in (200, 204) for status in outcomes)[True] == 1, outcomes
        assert set(outcomes) <= {200, 204, 404, 412}


@pytest.mark.parametrize("sort", ["id", "-id", "name,-quantity", "-created_at", "quantity"])
def test_a_walk_shows_what_is_there_throughout_exactly_once(two: Pair, sort: str) -> None:
    draw = random.Random(sort)
    name = f"walked by {sort}"
    kept = {new_item(two[draw.randrange(2)], name=name, quantity=draw.randrange(5))["id"] for _ in range(60)}
    walks_are_over = threading.Event()

    def disturb(client: httpx2.Client, number: int) -> None:
        mine: list[int] = []
        dice = random.Random(f"{sort} {number}")
        while not walks_are_over.is_set():
            if mine and dice.random() < 0.5:
                until_done(client, "DELETE", f"/items/{mine.pop(dice.randrange(len(mine)))}")
            else:
                body = {"name": name, "quantity": dice.randrange(5)}
                mine.append(until_done(client, "POST", "/items", json=body).json()["id"])
            some = dice.choice(sorted(kept))
            until_done(client, "PATCH", f"/items/{some}", json={"description": f"{dice.random()}"})

    def walk(client: httpx2.Client, number: int) -> Counter[int]:
        """From page to page by turns from the one server and from the other."""
        seen: Counter[int] = Counter()
        hosts = (str(client.base_url), two[1 - number % 2].url)
        path, params = "/items", {"name": name, "sort": sort, "limit": "7"}
        for turn in range(1000):
            page = client.get(f"{hosts[turn % 2].rstrip('/')}{path}", params=params).raise_for_status()
            seen.update(item["id"] for item in page.json()["data"])
            if page.json()["next_cursor"] is None:
                return seen
            params["cursor"] = page.json()["next_cursor"]
        raise AssertionError("a walk without end")

    def work(client: httpx2.Client, number: int) -> list[Counter[int]]:
        if number < 2:
            disturb(client, number)
            return []
        try:
            return [walk(client, number) for _ in range(3)]
        finally:
            if number == CLIENTS - 1:
                walks_are_over.set()

    walks = [walk for seen in by_clients(two, work) for walk in seen]
    assert len(walks) == 3 * (CLIENTS - 2)
    for seen in walks:
        assert {each: seen[each] for each in kept} == dict.fromkeys(kept, 1)


def test_after_a_kill_the_same_key_has_its_effect_once(url_of_module: str) -> None:
    draw = random.Random(7)
    with StewardServer(url_of_module) as steady:
        steady.sign_in()
        box, lid = new_item(steady, quantity=100), new_item(steady, quantity=0)
        path, body = f"/items/{box['id']}/transfer", {"to": {"item_id": lid["id"]}, "quantity": 1}
        for moved in range(1, 5):
            headers = {"Idempotency-Key": f"killed-{moved}", "Authorization": steady.client.headers["Authorization"]}
            dying = StewardServer(url_of_module).start()
            killing = threading.Timer(draw.uniform(0, 0.03), dying.process.kill)
            killing.start()
            first = None
            with suppress(httpx2.TransportError):
                first = dying.client.post(path, json=body, headers=headers)
            killing.join()
            dying.kill()
            dying.client.close()
            again = until_done(steady.client, "POST", path, json=body, headers=headers)
            assert again.status_code == 200, again.text
            if first is not None:
                assert (again.headers.get("Idempotent-Replayed"), again.content) == ("true", first.content)
            assert again.json()["item"]["quantity"] == 100 - moved
            assert again.json()["received"]["quantity"] == moved
