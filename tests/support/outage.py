"""Clients that read and write all the time, and what they were answered while something was broken."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from .steward_server import StewardServer

BACK = 120.0  # seconds; guards against a hang
_LATER = {"database_unavailable", "deadline_exceeded", "overloaded"}
_names = itertools.count(1)


@dataclass
class Traffic:
    """`answers` are (when it came, how long it took, status, code) in the order in which they came; `stored` are the
    names of the items that were acknowledged."""

    server: StewardServer
    answers: list[tuple[float, float, int, str]] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    without_a_pause: list[str] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(status for _, _, status, _ in self.answers)

    @property
    def codes(self) -> Counter[str]:
        return Counter(code for *_, code in self.answers)

    async def until_well(self, since: float, *, answers: int = 20, limit: float = BACK) -> float:
        """Wait until so many answers in a row are 2xx, all to requests sent after `since`; the seconds from `since` to
        the first of them."""
        while time.monotonic() < since + limit:
            fresh = [answer for answer in self.answers if answer[0] - answer[1] >= since]
            last_bad = max((index for index, answer in enumerate(fresh) if answer[2] >= 300), default=-1)
            if len(fresh) - last_bad > answers:
                return fresh[last_bad + 1][0] - since
            await asyncio.sleep(0.02)
        raise AssertionError(f"still not well: {self.answers[-20:]}")

    async def until_refused(self) -> None:
        """Wait until somebody was told that the database is not there."""
        async with asyncio.timeout(BACK):
            while not self.statuses[503]:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)

    async def lost(self) -> set[str]:
        """What was acknowledged and is not there."""
        there: set[str] = set()
        url: str | None = "/items?limit=200"
        async with self._client() as client:
            while url is not None:
                page = (await client.get(url)).raise_for_status()
                there |= {item["name"] for item in page.json()["data"]}
                url = page.links.get("next", {}).get("url")
        return set(self.stored) - there

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.server.url, headers=self.server.credentials, timeout=150.0)

    async def read(self, client: httpx2.AsyncClient) -> None:
        await self._ask(client, "GET", "/items?limit=5")

    async def write(self, client: httpx2.AsyncClient) -> None:
        name = f"box {next(_names)}"
        if await self._ask(client, "POST", "/items", json={"name": name}) == 201:
            self.stored.append(name)

    async def _ask(self, client: httpx2.AsyncClient, method: str, path: str, **body: Any) -> int:
        began = time.monotonic()
        answer = await client.request(method, path, **body)
        now = time.monotonic()
        code = answer.json()["code"] if answer.is_error else "ok"
        self.answers.append((now, now - began, answer.status_code, code))
        if answer.status_code == 503 and "Retry-After" not in answer.headers:
            self.without_a_pause.append(code)
        return answer.status_code


@asynccontextmanager
async def traffic(server: StewardServer, *, readers: int = 6, writers: int = 6) -> AsyncIterator[Traffic]:
    """Has signed in before; leaving the block waits for the answers that are still to come."""
    going = Traffic(server)
    is_over = False

    async def keep_asking(client: httpx2.AsyncClient, ask: Any) -> None:
        while not is_over:
            await ask(client)
            await asyncio.sleep(0.01)  # a client that is refused at once would take all of the processor

    async with going._client() as client:
        tasks = [asyncio.create_task(keep_asking(client, going.read)) for _ in range(readers)]
        tasks += [asyncio.create_task(keep_asking(client, going.write)) for _ in range(writers)]
        try:
            yield going
        finally:
            is_over = True
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)


async def nothing_is_amiss(going: Traffic) -> None:
    assert set(going.statuses) <= {200, 201, 503}, going.statuses
    assert set(going.codes) <= {"ok", "outcome_unknown", *_LATER}
    assert set(going.without_a_pause) <= {"outcome_unknown"}  # it is not to be repeated
    assert await going.lost() == set()
