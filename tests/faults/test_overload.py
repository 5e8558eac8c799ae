"""Ten times more clients than connections: who cannot be served in time is told so at once, and the others are served
as fast as before."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.support.steward_server import ADMIN_PASSWORD, AS_SHIPPED, StewardServer

from .databases import fresh_database
from .report import Outcome
from .servers import kill, running

CONNECTIONS = 4
CLIENTS = 10 * CONNECTIONS
QUEUE = CONNECTIONS  # so that most clients find it full
AT_THE_PLATEAU = CONNECTIONS  # clients that keep the server busy, and fill no queue
# Of the throughput at the plateau. What is lost is the work of refusing, and of the clients, which share the processors
# with the server here; a server that broke down would be far below.
LEAST_RATIO = 1 / 3
LONGEST = 10.0  # seconds that any answer may take
_PAUSE = 0.2  # seconds after a refusal: far less than Retry-After asks for
_PATIENCE = 60.0  # seconds until a client gives up
_GUEST = {"username": "guest", "email": "guest@example.org", "password": ADMIN_PASSWORD}

_HASHING = "\nsteward_hashing_in_use 1.0\n"

NEED_NO_SLOT = ("/livez", "/readyz", "/metrics", "/docs")


class Load:
    """Clients that create, read and sign in as fast as they are answered."""

    def __init__(self, server: StewardServer) -> None:
        self._server = server
        self._numbers = itertools.count()
        self.answers: Counter[str] = Counter()
        self.violations: list[str] = []
        self.slowest = 0.0
        self.acknowledged: set[str] = set()
        self.undecided: set[str] = set()  # names that nobody knows to be stored or not

    async def throughput(self, clients: int, seconds: float) -> float:
        """Successes a second."""
        before, begun = self.answers["2xx"], time.monotonic()
        async with self._client() as client, asyncio.timeout(seconds + _PATIENCE), asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(self._keep_asking(client, number, begun + seconds))
            tasks.create_task(self._probe(begun + seconds))
        return (self.answers["2xx"] - before) / (time.monotonic() - begun)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx2.AsyncClient]:
        limits = httpx2.Limits(max_connections=None)
        options: Any = {"base_url": self._server.url, "timeout": _PATIENCE, "limits": limits, "verify": False}
        async with httpx2.AsyncClient(headers=self._server.credentials, **options) as client:
            yield client

    async def _keep_asking(self, client: httpx2.AsyncClient, number: int, until: float) -> None:
        ask = self._sign_in if number % 10 == 9 else self._create if number % 2 else self._read
        while time.monotonic() < until:
            answer = await ask(client)
            self.check(answer)
            if not answer.is_success:
                await asyncio.sleep(_PAUSE)

    async def _create(self, client: httpx2.AsyncClient) -> httpx2.Response:
        name = f"made under load {next(self._numbers)}"
        self.undecided.add(name)
        answer = await client.post("/items", json={"name": name})
        if answer.is_success:
            self.acknowledged.add(name)
        if answer.is_success or answer.json()["code"] != "outcome_unknown":
            self.undecided.discard(name)
        return answer

    async def _read(self, client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.get("/items?limit=20")

    async def _sign_in(self, client: httpx2.AsyncClient) -> httpx2.Response:
        form = {"grant_type": "password", "username": _GUEST["username"], "password": _GUEST["password"]}
        return await client.post("/auth/token", data=form)

    async def invite(self) -> None:
        """Whoever signs in: a new session may end the oldest of the same user, and that of the others has to last."""
        async with self._client() as client:
            (await client.post("/users", json=_GUEST)).raise_for_status()

    def check(self, answer: httpx2.Response) -> None:
        status = answer.status_code
        self.answers["2xx" if answer.is_success else str(status)] += 1
        self.slowest = max(self.slowest, answer.elapsed.total_seconds())
        if not answer.is_success and status not in (429, 503):
            self.violations.append(f"{answer.request.url.path} was answered {status}: {answer.text}")
        if status == 503 and "Retry-After" not in answer.headers:
            self.violations.append(f"a 503 does not say when to come again: {answer.text}")

    async def _probe(self, until: float) -> None:
        """As an orchestrator and a monitor do, on connections of their own."""
        async with self._client() as client:
            while time.monotonic() < until:
                for path in NEED_NO_SLOT:
                    answer = await client.get(path)
                    self.slowest = max(self.slowest, answer.elapsed.total_seconds())
                    if answer.status_code != 200:
                        self.violations.append(f"{path} was answered {answer.status_code}: {answer.text}")
                await asyncio.sleep(0.2)

    async def names(self) -> set[str]:
        """Of what is stored."""
        found: set[str] = set()
        async with self._client() as client:
            path: str | None = "/items?limit=200"
            while path is not None:
                page = (await client.get(path)).raise_for_status().json()
                found |= {item["name"] for item in page["data"]}
                path = None if page["next_cursor"] is None else f"/items?limit=200&cursor={page['next_cursor']}"
        return found

    async def first_answers_afterwards(self) -> list[int]:
        async with self._client() as client:
            asks: list[Callable[[httpx2.AsyncClient], Any]] = [self._create, self._read, self._sign_in]
            return [(await ask(client)).status_code for ask in asks for _ in range(3)]


async def check(backend: str, *, seconds: int, **settings: object) -> Outcome:
    outcome = Outcome("overload", backend, {"seconds": seconds, "clients": CLIENTS, "connections": CONNECTIONS})
    async with (
        fresh_database(backend) as url,
        running(url, pool_size=CONNECTIONS, pool_queue=QUEUE, **settings) as server,
    ):
        load = Load(server)
        await load.invite()
        await load.throughput(AT_THE_PLATEAU, 1)  # what is only done once
        plateau = await load.throughput(AT_THE_PLATEAU, max(1, seconds / 4))
        refused_before = load.answers["503"]
        overloaded, refused, give_up_at = 0.0, 0, time.monotonic() + _PATIENCE
        # On a busy machine the clients may be too slow, at first, to crowd the server.
        while not refused and time.monotonic() < give_up_at:
            overloaded = await load.throughput(CLIENTS, seconds)
            refused = load.answers["503"] - refused_before
        afterwards = await load.first_answers_afterwards()
        recovered = await load.throughput(AT_THE_PLATEAU, max(1, seconds / 4))
        stored = await load.names()
    outcome.figures |= {
        "a second at the plateau": round(plateau),
        "a second in the overload": round(overloaded),
        "a second afterwards": round(recovered),
        "ratio": round(overloaded / plateau, 2),
        "refused": refused,
        "slowest (s)": round(load.slowest, 2),
    }
    outcome.violations += load.violations
    if not refused:
        outcome.violations.append("nobody was refused: that was no overload")
    outcome.late += collapses(plateau, overloaded, recovered)
    if load.slowest >= LONGEST:
        outcome.late.append(f"an answer took {load.slowest:.1f} s")
    if any(status >= 300 for status in afterwards):
        outcome.violations.append(f"right afterwards the answers were {afterwards}")
    if lost := load.acknowledged - stored:
        outcome.violations.append(f"{len(lost)} acknowledged items are not there")
    if traces := stored - load.acknowledged - load.undecided:
        outcome.violations.append(f"{len(traces)} items are there although they were refused")
    return outcome


def collapses(plateau: float, overloaded: float, recovered: float) -> list[str]:
    """The machine may be busy with something else before or after, so the overload is compared with the slower of both;
    but a server that stays broken must not make its own yardstick."""
    found = []
    if overloaded < LEAST_RATIO * min(plateau, recovered):
        found.append(f"the throughput fell from {plateau:.0f} a second to {overloaded:.0f}")
    if recovered < LEAST_RATIO * plateau:
        found.append(f"afterwards the throughput was {recovered:.0f} a second, and {plateau:.0f} before")
    return found


@pytest.mark.parametrize(
    ("overloaded", "recovered", "violations"), [(90, 90, 0), (30, 80, 0), (20, 100, 1), (5, 5, 1), (40, 5, 1)]
)
def test_a_server_that_breaks_down_in_the_overload_or_stays_broken_is_found(
    overloaded: float, recovered: float, violations: int
) -> None:
    assert len(collapses(90, overloaded, recovered)) == violations


async def test_in_an_overload_some_are_refused_and_the_others_are_served_as_fast_as_before(server_backend: str) -> None:
    # That a busy machine is slow to ask the database is no answer of an overloaded server.
    outcome = await check(server_backend, seconds=3, readiness_timeout=60)
    assert outcome.violations == [], outcome.figures


async def test_who_waits_for_a_password_to_be_hashed_holds_no_connection(server_backend: str) -> None:
    """Of connections to write by there is one, and nobody may wait for it."""
    endless = {"hash_memory": 64 * 1024, "hash_iterations": 100_000, "request_timeout": 3600}
    async with fresh_database(server_backend) as url:
        async with running(url, pool_size=1, pool_queue=0) as server:  # where a password is hashed in no time
            credentials = server.credentials
        async with signing_up(url, credentials, pool_size=1, pool_queue=0, **endless) as (client, waiting):
            for number in range(5):
                made = await client.post("/items", json={"name": f"Box {number}"})
                assert made.status_code == 201
                assert (await client.get(f"/items/{made.json()['id']}")).status_code == 200
            assert not waiting.done()


@asynccontextmanager
async def signing_up(
    url: str, credentials: dict[str, str], **settings: object
) -> AsyncIterator[tuple[httpx2.AsyncClient, "asyncio.Task[httpx2.Response]"]]:
    """A client, while the server hashes the password of another one, for far longer than the block takes."""
    server = StewardServer(url, **{**AS_SHIPPED, **settings})
    try:
        await asyncio.to_thread(server.start)
        async with httpx2.AsyncClient(base_url=server.url, headers=credentials, timeout=_PATIENCE) as client:
            body = {"username": "ada", "email": "ada@example.org", "password": ADMIN_PASSWORD}
            waiting = asyncio.create_task(client.post("/users", json=body))
            async with asyncio.timeout(_PATIENCE):
                while _HASHING not in (await client.get("/metrics")).text:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.05)
            yield client, waiting
            waiting.cancel()
    finally:
        await kill(server)
