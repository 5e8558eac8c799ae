"""What each request costs PostgreSQL: statements, BEGIN and COMMIT, and round trips. Exact, so that no request comes to
cost more unseen.

They are counted between a server process and the database, when all is warm: whatever sends something, the driver, the
pool or SQLAlchemy. Which statements a use case needs is in tests/integration/repositories/test_statement_counts.py.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import make_url
from steward.service_layer.tokens import Tokens

from tests.support.http import PASSWORD
from tests.support.steward_server import PATIENT, StewardServer
from tests.support.wire_counter import WireCounter, counting

_WARMING = 3  # requests of each kind: asyncpg prepares, and looks up a type, in the first ones
_numbers = itertools.count(1)


class Cost(NamedTuple):
    """`frame` is how many of BEGIN, COMMIT, ROLLBACK and savepoints; they are not among the statements."""

    statements: int
    frame: int
    round_trips: int


# What has to change when this fails is the code, or, if it is meant, the figures here: the failure says the new ones.
READ = Cost(2, 0, 2)  # who is asking, and the question
COSTS = {
    "GET /livez": Cost(0, 0, 0),
    "GET /items/{item}": READ,
    "GET /items/{item} with owner": READ,
    "GET /items/{item} if it has changed": READ,
    "GET /items": READ,
    "GET /items with owners": READ,
    "GET /items filtered and sorted": READ,
    "GET /items with the count": Cost(3, 2, 5),  # a page and its count are of one snapshot
    "GET /items/export": Cost(3, 0, 3),  # who is asking once more before the answer begins
    "GET /users": READ,
    "GET /users/me": READ,
    "GET /auth/sessions": READ,
    "POST /items": Cost(2, 2, 4),
    "POST /items under a new key": Cost(5, 2, 7),
    "POST /items under a known key": Cost(3, 2, 5),
    "PATCH /items/{item}": Cost(3, 2, 5),
    "PATCH /items/{item} at a version": Cost(3, 2, 5),
    "PATCH /items/{item} with nothing new": Cost(2, 2, 4),
    "DELETE /items/{item}": Cost(3, 2, 5),
    "POST /items/{item}/transfer to a user": Cost(5, 2, 7),
    "POST /items/{item}/transfer to an item": Cost(5, 2, 7),
    "POST /items/batch of ten creations": Cost(2, 4, 6),
    "POST /items/import of ten": Cost(3, 2, 5),
    "POST /users": Cost(3, 2, 5),
    "PATCH /users/me": Cost(4, 2, 6),
    "POST /auth/token by password": Cost(12, 4, 13),
    "POST /auth/token by refresh token": Cost(5, 2, 6),
    "POST /auth/logout": Cost(3, 2, 5),
    "a token that is none": Cost(0, 0, 0),
    "a token of nobody": Cost(1, 0, 1),
}


class Caller:
    """An admin who asks, and makes first what it takes; only what is asked inside of `ask` counts."""

    def __init__(self, server: StewardServer, counter: WireCounter) -> None:
        self._client = server.client
        self._counter = counter
        self.tokens = server.sign_in()
        self.item = self.make("/items", name="Box", quantity=1_000)
        self.user = self.make("/users", **_somebody())

    def make(self, path: str, **body: Any) -> dict[str, Any]:
        made: dict[str, Any] = self._client.post(path, json=body).raise_for_status().json()
        return made

    def session(self) -> dict[str, Any]:
        form = {"grant_type": "password", "username": self.user["username"], "password": PASSWORD}
        tokens: dict[str, Any] = self._client.post("/auth/token", data=form).raise_for_status().json()
        return tokens

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        self._counter.reset()
        return self._client.request(method, path.format(item=self.item["id"]), **options)


def _somebody() -> dict[str, Any]:
    name = f"user{next(_numbers)}"
    return {"username": name, "email": f"{name}@example.org", "password": PASSWORD}


def _key() -> dict[str, str]:
    return {"Idempotency-Key": f'"key-{next(_numbers)}"'}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _at_a_version(caller: Caller) -> httpx2.Response:
    box = caller.make("/items", name="Box")
    return caller.ask(
        "PATCH", f"/items/{box['id']}", json={"quantity": 7}, headers={"If-Match": f'"{box["id"]}-{box["version"]}"'}
    )


def _if_changed(caller: Caller) -> httpx2.Response:
    box = caller.make("/items", name="Box")
    return caller.ask("GET", f"/items/{box['id']}", headers={"If-None-Match": f'"{box["id"]}-{box["version"]}"'})


def _under_a_known_key(caller: Caller) -> httpx2.Response:
    key = _key()
    caller.ask("POST", "/items", json={"name": "Box"}, headers=key)
    return caller.ask("POST", "/items", json={"name": "Box"}, headers=key)


def _transfer(caller: Caller, to: Mapping[str, object]) -> httpx2.Response:
    box = caller.make("/items", name="Box", quantity=3)
    return caller.ask("POST", f"/items/{box['id']}/transfer", json={"to": to, "quantity": 1})


def _sign_in(caller: Caller) -> httpx2.Response:
    form = {"grant_type": "password", "username": caller.user["username"], "password": PASSWORD}
    return caller.ask("POST", "/auth/token", data=form)


def _refresh(caller: Caller) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": caller.session()["refresh_token"]}
    return caller.ask("POST", "/auth/token", data=form)


def _batch(caller: Caller) -> httpx2.Response:
    operations = [{"op": "create", "item": {"name": f"Box {number}"}} for number in range(10)]
    return caller.ask("POST", "/items/batch", json={"operations": operations})


def _import(caller: Caller) -> httpx2.Response:
    rows = "".join(f'{{"name": "Box {number}"}}\n' for number in range(10))
    return caller.ask("POST", "/items/import", content=rows, headers={"Content-Type": "application/x-ndjson"})


REQUESTS: dict[str, Callable[[Caller], httpx2.Response]] = {
    "GET /livez": lambda caller: caller.ask("GET", "/livez"),
    "GET /items/{item}": lambda caller: caller.ask("GET", "/items/{item}"),
    "GET /items/{item} with owner": lambda caller: caller.ask("GET", "/items/{item}?expand=owner"),
    "GET /items/{item} if it has changed": _if_changed,
    "GET /items": lambda caller: caller.ask("GET", "/items?limit=100"),
    "GET /items with owners": lambda caller: caller.ask("GET", "/items?expand=owner"),
    "GET /items filtered and sorted": lambda caller: caller.ask("GET", "/items?q=box&sort=-name"),
    "GET /items with the count": lambda caller: caller.ask("GET", "/items?count=true"),
    "GET /items/export": lambda caller: caller.ask("GET", "/items/export"),
    "GET /users": lambda caller: caller.ask("GET", "/users"),
    "GET /users/me": lambda caller: caller.ask("GET", "/users/me"),
    "GET /auth/sessions": lambda caller: caller.ask("GET", "/auth/sessions"),
    "POST /items": lambda caller: caller.ask("POST", "/items", json={"name": "Box"}),
    "POST /items under a new key": lambda caller: caller.ask("POST", "/items", json={"name": "Box"}, headers=_key()),
    "POST /items under a known key": _under_a_known_key,
    "PATCH /items/{item}": lambda caller: caller.ask("PATCH", "/items/{item}", json={"quantity": next(_numbers)}),
    "PATCH /items/{item} at a version": _at_a_version,
    "PATCH /items/{item} with nothing new": lambda caller: caller.ask("PATCH", "/items/{item}", json={"name": "Box"}),
    "DELETE /items/{item}": lambda caller: caller.ask("DELETE", f"/items/{caller.make('/items', name='Box')['id']}"),
    "POST /items/{item}/transfer to a user": lambda caller: _transfer(caller, {"user_id": caller.user["id"]}),
    "POST /items/{item}/transfer to an item": lambda caller: _transfer(caller, {"item_id": caller.item["id"]}),
    "POST /items/batch of ten creations": _batch,
    "POST /items/import of ten": _import,
    "POST /users": lambda caller: caller.ask("POST", "/users", json=_somebody()),
    "PATCH /users/me": lambda caller: caller.ask("PATCH", "/users/me", json={"email": f"{next(_numbers)}@example.org"}),
    "POST /auth/token by password": _sign_in,
    "POST /auth/token by refresh token": _refresh,
    "POST /auth/logout": lambda caller: caller.ask(
        "POST", "/auth/logout", headers=_bearer(caller.session()["access_token"])
    ),
    "a token that is none": lambda caller: caller.ask("GET", "/items/{item}", headers=_bearer("rubbish")),
    "a token of nobody": lambda caller: caller.ask("GET", "/items/{item}", headers=_bearer(Tokens.draw().access)),
}


@pytest.fixture(scope="module")
def counter(postgres_of_module: str) -> Iterator[WireCounter]:
    url = make_url(postgres_of_module)
    assert url.host is not None
    assert url.port is not None
    with counting(url.host, url.port) as counter:
        yield counter


@pytest.fixture(scope="module")
def caller(postgres_of_module: str, counter: WireCounter) -> Iterator[Caller]:
    """Of a server with a single connection, so that what one request has prepared the next one finds."""
    url = make_url(postgres_of_module).set(host="127.0.0.1", port=counter.port)
    through_it = url.render_as_string(hide_password=False)
    limits = {**PATIENT, "rate_limits": True, "rate_limit_sign_in": "1000/h", "rate_limit_recipient": "1000/h"}
    with StewardServer(through_it, pool_size=1, **limits) as server:
        yield Caller(server, counter)


@pytest.mark.parametrize("name", COSTS)
def test_a_request_costs_exactly(name: str, caller: Caller, counter: WireCounter) -> None:
    for _ in range(_WARMING):
        REQUESTS[name](caller)
    answer = REQUESTS[name](caller)
    assert answer.status_code < 400 or "token" in name, answer.text
    cost = Cost(counter.statements, counter.transaction_statements, counter.round_trips)
    sent = "\n".join(f"  {statement[:160]}" for statement in counter.sql)
    assert cost == COSTS[name], f"{name!r} is now {cost}:\n{sent}"


def test_each_request_has_its_cost() -> None:
    assert list(REQUESTS) == list(COSTS)
