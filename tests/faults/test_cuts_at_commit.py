"""What breaks at a COMMIT: nothing that was acknowledged is lost, and nothing happens twice."""

import asyncio
import random
import resource
from collections.abc import Callable

from sqlalchemy import make_url

from tests.support.commit_proxy import CommitProxy, Cut
from tests.support.steward_server import StewardServer

from .databases import fresh_database
from .journal import Fate, Kind, stored_in
from .report import Outcome
from .servers import running
from .workload import WRITERS, Workload

_SLOWEST = 10.0  # seconds
_WITHOUT_KEY = (Kind.CREATE, Kind.BATCH, Kind.MOVE)
_LIMIT = 120.0  # seconds for a cut to happen; guards against a hang


async def check(backend: str, *, cuts: int) -> Outcome:
    """`cuts` before the commit, and as many after it.

    On PostgreSQL a proxy cuts the connection there. On SQLite, which has none, the disk fails at the commit; and the
    server is killed as soon as an acknowledgement arrives.
    """
    outcome = Outcome("cuts at COMMIT", backend, {"cuts": 0, "writers": WRITERS})
    async with fresh_database(backend) as url:
        if backend == "sqlite":
            await _failing_disk(url, cuts, outcome)
            await _killed_at_the_answer(url, cuts, outcome)
        else:
            await _cut_connections(url, cuts, outcome)
    return outcome


async def _cut_connections(url: str, cuts: int, outcome: Outcome) -> None:
    target = make_url(url)
    assert target.host is not None
    assert target.port is not None
    async with CommitProxy(target.host, target.port).open() as proxy:
        through = target.set(port=proxy.own_port).render_as_string(hide_password=False)
        async with running(through) as server:
            for where in Cut:
                with_key = (cuts + 1) // 3
                await _cut(url, server, proxy, [where] * (cuts - with_key), _WITHOUT_KEY, outcome)
                await _cut(url, server, proxy, [where] * with_key, (Kind.KEYED,), outcome)


async def _cut(
    url: str, server: StewardServer, proxy: CommitProxy, cuts: list[Cut], kinds: tuple[Kind, ...], outcome: Outcome
) -> None:
    """All `cuts` are alike."""
    load = Workload(kinds)
    await load.prepare(server)
    async with load.under_way(server.url):
        for cut in cuts:
            before = len(proxy.done)
            proxy.cuts.append(cut)
            await _until_more(lambda: len(proxy.done), before)
            await asyncio.sleep(random.uniform(0, 0.05))
    outcome.count("cuts", len(cuts))
    unknown = load.journal.of(Fate.UNKNOWN)
    await _settle(url, server, load, outcome)
    if kinds != _WITHOUT_KEY:
        return
    # The server says so and tries nothing again: what was cut is there once if the COMMIT had arrived, and else not.
    if len(unknown) != len(cuts):
        outcome.violations.append(f"{len(cuts)} COMMITs were cut {cuts[0].value}, {len(unknown)} outcomes were unknown")
    expected = Fate.STORED if cuts[0] is Cut.AFTER else Fate.REFUSED
    outcome.violations += [
        f"{write.label} was cut {cuts[0].value} its COMMIT: {write.fate.name}"
        for write in unknown
        if write.fate is not expected
    ]


async def _settle(url: str, server: StewardServer, load: Workload, outcome: Outcome) -> None:
    """Compare, repeat what was unknown and has a key, and compare again."""
    load.report_answers(outcome, slowest=_SLOWEST)
    outcome.count("outcome unknown", len(load.journal.of(Fate.UNKNOWN)))
    keyed = load.journal.of(Fate.UNKNOWN, Kind.KEYED)
    load.journal.compare(await stored_in(url, load.journal.pairs), outcome)
    for write in keyed:
        write.fate = Fate.UNKNOWN  # its client still does not know
    await load.repeat(server.url, keyed, outcome)
    load.journal.compare(await stored_in(url, load.journal.pairs), outcome)


async def _failing_disk(url: str, errors: int, outcome: Outcome) -> None:
    """The server may not write beyond the first page of any file: its next commit fails with EFBIG, an I/O error."""
    async with running(url) as server:
        load = Workload()
        await load.prepare(server)
        async with load.under_way(server.url):
            for _ in range(errors):
                refusals = load.refusals
                _limit_files_of(server.process.pid, to=4096)
                await _until_more(lambda: load.refusals, refusals)
                _limit_files_of(server.process.pid, to=None)
                outcome.count("cuts")
                await load.until_acknowledged(1, within=_LIMIT)
        await _settle(url, server, load, outcome)


def _limit_files_of(process_id: int, *, to: int | None) -> None:
    """Bytes; None is as much as it may have at most."""
    _, most = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (most if to is None else to, most))


async def _killed_at_the_answer(url: str, kills: int, outcome: Outcome) -> None:
    load = Workload()
    for number in range(kills):
        async with running(url) as server:
            if number == 0:
                await load.prepare(server)
            goal = load.acknowledged + random.randint(1, WRITERS)
            load.on_acknowledged = _kill_at(server, load, goal)
            async with asyncio.timeout(_LIMIT):
                await load.until_the_server_is_gone(server.url)
        if load.acknowledged < goal:  # it died by itself, or answers nobody
            outcome.violations.append(f"too little was acknowledged: {load.answers}")
        outcome.count("cuts")
        load.journal.compare(await stored_in(url, load.journal.pairs), outcome)
    load.report(outcome)


def _kill_at(server: StewardServer, load: Workload, acknowledged: int) -> Callable[[], None]:
    def kill() -> None:
        if load.acknowledged == acknowledged:
            server.process.kill()

    return kill


async def _until_more(counted: Callable[[], int], before: int) -> None:
    async with asyncio.timeout(_LIMIT):
        while counted() <= before:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.002)


async def test_what_breaks_at_a_commit_is_neither_lost_nor_doubled(server_backend: str) -> None:
    outcome = await check(server_backend, cuts=2)
    assert outcome.violations == []
