"""The servers, each a process of its own."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx2

from tests.support.server import Server
from tests.support.steward_server import environment

from .data import ADMIN, ADMIN_PASSWORD
from .environment import DATABASE_URL, POOL_SIZE

ORDINARY = "steward-ordinary"  # with the express lane off
STEWARDS = ("steward", ORDINARY)
NAMES = ("limit", "tutorial", *STEWARDS)
_UVICORN = (sys.executable, "-m", "uvicorn", "--port", "{port}", "--no-access-log", "--log-level", "warning")
_COMMANDS = {
    "limit": (*_UVICORN, "--factory", "benchmarks.speed.limit:app"),
    "tutorial": (*_UVICORN, "benchmarks.speed.tutorial:app"),
    # As people run it: what it logs of each request goes to a file.
    **dict.fromkeys(STEWARDS, (sys.executable, "-m", "steward", "serve", "--port", "{port}")),
}
_START_LIMIT = 60.0  # seconds


@dataclass(frozen=True)
class Running:
    """`owner` is how the way to an item with its owner ends; `start` is the time from the start of the process to the
    first answer, in seconds."""

    name: str
    url: str
    process: int
    token: str
    owner: str
    start: float


@contextmanager
def serving(name: str, database_url: str, *options: str, pool_size: int, **settings: object) -> Iterator[Running]:
    """`options` are more of those of the command, `settings` more of Steward's."""
    settings |= {"pool_size": pool_size, "access_token_ttl": 24 * 3600, "secret_key": "s" * 32}
    settings["express"] = "off" if name == ORDINARY else "auto"
    ours = environment(database_url=database_url, **settings)
    begun = time.perf_counter()
    server = Server(
        [*_COMMANDS[name], *options],
        environment={**ours, DATABASE_URL: database_url, POOL_SIZE: str(pool_size)},
    )
    try:
        _wait(server)
        start = time.perf_counter() - begun
        token = _sign_in(server.url) if name in STEWARDS else ""
        owner = "?expand=owner" if name in STEWARDS else "/with-owner"
        yield Running(name, server.url, server.process.pid, token, owner, start)
    finally:
        server.stop()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while True:
        try:
            httpx2.get(f"{server.url}/items/1", timeout=_START_LIMIT)  # a 401 is an answer too
        except httpx2.TransportError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"A server did not start:\n{server.stop()}") from None
            time.sleep(0.005)
        else:
            return


def _sign_in(url: str) -> str:
    form = {"grant_type": "password", "username": ADMIN, "password": ADMIN_PASSWORD}
    answer = httpx2.post(f"{url}/auth/token", data=form).raise_for_status()
    return str(answer.json()["access_token"])


@contextmanager
def all_serving(names: tuple[str, ...], database_url: str, *, pool_size: int) -> Iterator[list[Running]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving(name, database_url, pool_size=pool_size)) for name in names]
