"""Sixteen writers at a server that is about to be hurt, and a reader."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2

from tests.support.steward_server import StewardServer

from .journal import AT_FIRST, Fate, Journal, Kind, Write
from .report import Outcome

WRITERS = 16
BACK_WITHIN = 60.0  # seconds after the database is back; guards against a hang
_PATIENCE = 60.0  # seconds until a client gives up: far beyond every deadline of the server
_PAUSE = 0.02  # seconds after a refusal: a client that came back at once would measure nothing but itself


class Workload:
    """Writes to whichever server, and remembers every answer in `journal`.

    `prepare` comes first; from then on it acts as whom that server has signed in. `answers` counts status codes,
    `slowest` is in seconds, `broken` are requests without an answer. `on_acknowledged` is called at each answer that
    acknowledges a write, before anything else happens.
    """

    def __init__(self, kinds: tuple[Kind, ...] = tuple(Kind)) -> None:
        self._kinds = kinds
        self.journal = Journal()
        self.answers: Counter[int] = Counter()
        self.broken: list[str] = []
        self.slowest = 0.0
        self.acknowledged = 0
        self.on_acknowledged: Callable[[], object] = lambda: None
        self._headers: dict[str, str] = {}

    @property
    def refusals(self) -> int:
        return self.answers[503] + self.answers[507]

    async def prepare(self, server: StewardServer) -> None:
        self._headers = server.credentials
        async with self._client(server.url) as client:
            for _ in range(WRITERS // 2):  # two writers move between the same two items: they meet, and are retried
                pair = [await client.post("/items", json={"name": "of a pair", "quantity": n}) for n in (AT_FIRST, 0)]
                first, second = (answer.raise_for_status().json()["id"] for answer in pair)
                self.journal.pairs.append((first, second))

    @asynccontextmanager
    async def under_way(self, url: str) -> AsyncIterator[None]:
        """Inside the block all write; leaving it waits for the last answers."""
        until = asyncio.Event()
        writing = asyncio.create_task(self._run(url, until, ends=False))
        try:
            yield
        finally:
            until.set()
            await writing

    async def until_the_server_is_gone(self, url: str) -> None:
        await self._run(url, asyncio.Event(), ends=True)

    async def _run(self, url: str, until: asyncio.Event, *, ends: bool) -> None:
        async with self._client(url) as client, asyncio.TaskGroup() as tasks:
            for number in range(WRITERS):
                tasks.create_task(self._write(client, number, until, ends))
            tasks.create_task(self._read(client, until, ends))

    async def repeat(self, url: str, writes: list[Write], outcome: Outcome) -> None:
        """Send keyed writes again, with the keys they had, until each is acknowledged."""
        async with self._client(url) as client:
            answers = await asyncio.gather(*(self._until_acknowledged(client, write) for write in writes))
        for write, answer in zip(writes, answers, strict=True):
            outcome.count("repeated with their key")
            if not answer.is_success:
                outcome.violations.append(f"{write.label} was repeated: {answer.status_code} {answer.text}")
            elif write.fate is Fate.STORED and "Idempotent-Replayed" not in answer.headers:
                outcome.count("lost")
                outcome.violations.append(f"{write.label}: acknowledged, and not there when it was repeated")
            write.fate = Fate.STORED

    async def _until_acknowledged(self, client: httpx2.AsyncClient, write: Write) -> httpx2.Response:
        give_up_at = time.monotonic() + BACK_WITHIN
        while True:
            answer = await self._send(client, write)
            if answer.status_code not in (409, 503) or time.monotonic() > give_up_at:
                return answer
            await asyncio.sleep(0.25)

    async def until_acknowledged(self, count: int, *, within: float) -> bool:
        """Whether so many more writes were acknowledged in time (seconds)."""
        goal = self.acknowledged + count
        try:
            async with asyncio.timeout(within):
                while self.acknowledged < goal:  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(0.005)
        except TimeoutError:
            return False
        return True

    async def until_back(self, outcome: Outcome) -> None:
        """The database is there again: how long until a write is acknowledged? Returns after some more of them."""
        begun = time.monotonic()
        if not await self.until_acknowledged(1, within=BACK_WITHIN):
            outcome.violations.append(f"not back after {BACK_WITHIN} s: {self.answers}")
        outcome.slowest("s until back", time.monotonic() - begun)
        await self.until_acknowledged(4 * WRITERS, within=BACK_WITHIN)

    def report(self, outcome: Outcome) -> None:
        outcome.count("acknowledged", self.acknowledged)
        outcome.count("not acknowledged", len(self.journal.writes) - self.acknowledged)

    def report_answers(self, outcome: Outcome, *, slowest: float) -> None:
        """The server has lived all the time: every request was answered, in time (seconds), and by what it may say."""
        self.report(outcome)
        others = {status: n for status, n in self.answers.items() if status // 100 not in (2, 4) and status != 503}
        outcome.count("answers", self.answers.total())
        outcome.count("answers 503", self.answers[503])
        outcome.count("other answers", sum(others.values()) + len(self.broken))
        outcome.slowest("s the slowest answer", self.slowest)
        outcome.violations += [f"{number} answers {status}" for status, number in others.items()]
        outcome.violations += [f"no answer: {error}" for error in self.broken]
        if self.slowest >= slowest:
            outcome.late.append(f"the slowest answer took {self.slowest:.2f} s")

    async def _write(self, client: httpx2.AsyncClient, number: int, until: asyncio.Event, ends: bool) -> None:
        for turn in itertools.count(number):
            if until.is_set():
                return
            write = self.journal.begin(self._kinds[turn % len(self._kinds)], number // 2)
            answer = await self._timed(self._send(client, write), ends)
            if answer is None and ends:
                return
            if answer is None:
                continue
            write.fate = fate_of(answer)
            if write.fate is Fate.STORED:
                self.acknowledged += 1
                self.on_acknowledged()
            else:
                await asyncio.sleep(_PAUSE)

    async def _read(self, client: httpx2.AsyncClient, until: asyncio.Event, ends: bool) -> None:
        for first, _ in itertools.cycle(self.journal.pairs):
            if until.is_set():
                return
            answer = await self._timed(client.get(f"/items/{first}"), ends)
            if answer is None and ends:
                return
            await asyncio.sleep(_PAUSE)

    async def _timed(self, sending: Awaitable[httpx2.Response], ends: bool) -> httpx2.Response | None:
        begun = time.monotonic()
        try:
            answer = await sending
        except httpx2.TransportError as error:
            if not ends:
                self.broken.append(repr(error))
            await asyncio.sleep(_PAUSE)
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - begun)
        self.answers[answer.status_code] += 1
        return answer

    async def _send(self, client: httpx2.AsyncClient, write: Write) -> httpx2.Response:
        first, second = self.journal.pairs[write.pair]
        item = {"name": write.label}
        move = {"to": {"item_id": second}, "quantity": 1}
        match write.kind:
            case Kind.CREATE:
                return await client.post("/items", json=item)
            case Kind.KEYED:
                return await client.post(
                    "/items", json=item, headers={"Idempotency-Key": write.label.replace(" ", "-")}
                )
            case Kind.MOVE:
                return await client.post(f"/items/{first}/transfer", json=move)
            case Kind.BATCH:
                creation = {"op": "create", "item": item}
                operations = [creation, {"op": "transfer", "id": first, **move}, creation]
                return await client.post("/items/batch", json={"operations": operations})

    def _client(self, url: str) -> httpx2.AsyncClient:
        limits = httpx2.Limits(max_connections=2 * WRITERS)
        return httpx2.AsyncClient(base_url=url, headers=self._headers, timeout=_PATIENCE, limits=limits)


def fate_of(answer: httpx2.Response) -> Fate:
    if answer.is_success:
        return Fate.STORED
    if answer.status_code == 500 or answer.json()["code"] == "outcome_unknown":
        return Fate.UNKNOWN
    return Fate.REFUSED
