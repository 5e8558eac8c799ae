"""kill -9 of the server under load: what was acknowledged is there once and whole, what was not is whole or absent."""

import asyncio
import random

from tests.support.steward_server import StewardServer

from .databases import fresh_database
from .journal import Fate, Kind, stored_in
from .processes import kill_all, with_children
from .report import Outcome
from .servers import running
from .workload import WRITERS, Workload

_LIMIT = 120.0  # seconds until there is some load; guards against a hang
_REPEATED = 8  # keyed writes that were acknowledged and are sent again all the same


async def check(backend: str, *, rounds: int) -> Outcome:
    """Every other round with two worker processes."""
    outcome = Outcome("killed server", backend, {"rounds": rounds, "writers": WRITERS})
    load = Workload()
    async with fresh_database(backend) as url:
        for number in range(rounds + 1):
            async with running(url, workers=1 + number % 2) as server:
                if number == 0:
                    await load.prepare(server)
                else:
                    await _repeat_keyed(load, server.url, outcome)
                    load.journal.compare(await stored_in(url, load.journal.pairs), outcome)
                if number < rounds:
                    await _kill_while_writing(server, load, outcome)
    load.report(outcome)
    return outcome


async def _kill_while_writing(server: StewardServer, load: Workload, outcome: Outcome) -> None:
    """In the moment in which one of them is acknowledged: if it is not on the disk by now, it is lost."""
    goal = load.acknowledged + random.randint(2 * WRITERS, 6 * WRITERS)
    processes = with_children(server.process.pid)

    def kill_at_the_goal() -> None:
        if load.acknowledged == goal:
            kill_all(processes)

    load.on_acknowledged = kill_at_the_goal
    try:
        async with asyncio.timeout(_LIMIT):
            await load.until_the_server_is_gone(server.url)
    except TimeoutError:
        pass  # said below
    if load.acknowledged < goal:  # also of a server that died by itself: it would have nothing to lose
        outcome.violations.append(f"too little was acknowledged: {load.answers}")


async def _repeat_keyed(load: Workload, url: str, outcome: Outcome) -> None:
    """Whoever got no answer asks again; so does one who had one."""
    acknowledged = load.journal.of(Fate.STORED, Kind.KEYED)[-_REPEATED:]
    await load.repeat(url, [*acknowledged, *load.journal.of(Fate.UNKNOWN, Kind.KEYED)], outcome)


async def test_a_killed_server_has_lost_doubled_and_torn_nothing(server_backend: str) -> None:
    outcome = await check(server_backend, rounds=2)
    assert outcome.violations == []
