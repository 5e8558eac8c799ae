"""Clients that leave at random points: nothing is left half done, and nothing is held for them."""

import asyncio
import re
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .crowd import Crowd, crowd, sqlite_file, until_done
from .leavers import CHANGED, MAKES, QUANTITY, Kind, Leaver, draw, leave
from .report import Outcome

_AT_ONCE = 40
_POOL = 4  # so that a connection that is lost is missed
_LATE = 3  # batches at once, and then more of them, until together they take longer than each of them may
_MOST_LATE = 12 * _LATE
_PARTS = 333  # of such a batch: two items are made, and one is changed
# Seconds until all has come to its end. Less than PostgreSQL lets a transaction idle: what the server has forgotten
# must not be cleaned up in the meantime.
_QUIET = 15.0
_LIMIT = 60.0  # seconds for the last requests to end: a guard against a hang
_MORE_FILES = 8  # that a server may have open for a while: connections of its pool, bodies
_BUG = re.compile(r'\bERROR\b|\bCRITICAL\b|"level": ?"(error|critical)"|^Traceback')


async def check(backend: str, *, clients: int) -> Outcome:
    """Whoever leaves cancels nothing that writes; so some batches run into their deadline as well. Afterwards the
    server is looked at: transactions, connections, files, its log, and whether it serves."""
    outcome = Outcome("leaving clients", backend, {"clients": clients})
    async with crowd(backend, servers=1, pool_size=_POOL, pool_timeout=60, batch_timeout=1) as those:
        ballast, own = await _given(those, "ballast", _MOST_LATE), await _given(those, "own", clients)
        lid = those.create(quantity=0)["id"]
        leavers = [draw(number, item_id) for number, item_id in enumerate(own)]
        early = clients // 10
        await _leave_all(those, leavers[:early], lid)
        files = _open_files(those)
        await _leave_all(those, leavers[early:], lid)
        answers = await _late_batches(those, ballast)
        outcome.figures["late batches refused"] = sum(status == 503 for status in answers)
        await _until_all_have_ended(those)
        await _until_nothing_is_held(those, files + _MORE_FILES, outcome)
        if not outcome.violations:  # else what is asked next would wait for what is held
            await _compare(those, leavers, lid, outcome)
            await _compare_late(those, answers, outcome)
            await _serve(those, lid, outcome)
        outcome.violations += [line for line in those.servers[0].errors if _BUG.search(line)]
    outcome.require("done")
    return outcome


async def _given(those: Crowd, name: str, number: int) -> list[int]:
    """So many items of that name. Their ids."""
    lines = f'{{"name": "{name}", "quantity": {QUANTITY}, "description": "{"a long one " * 50}"}}\n' * number
    headers = {"Content-Type": "application/x-ndjson"}
    those.servers[0].client.post("/items/import", content=lines, headers=headers).raise_for_status()
    return [item_id for (item_id,) in await those.sql(f"SELECT id FROM items WHERE name = '{name}' ORDER BY id")]


async def _leave_all(those: Crowd, leavers: list[Leaver], lid: int) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(leaver: Leaver) -> None:
        async with places:
            await leave(those, leaver, lid)

    await asyncio.gather(*map(in_turn, leavers))


async def _late_batches(those: Crowd, ballast: list[int]) -> list[int]:
    """Until one was too late, however fast the machine is. Their statuses."""
    answers: list[int] = []
    while 503 not in answers and len(answers) < len(ballast):
        numbers = range(len(answers), min(2 * len(answers) + _LATE, len(ballast)))
        answers += await asyncio.gather(*(_late_batch(those, number, ballast[number]) for number in numbers))
    return answers


async def _late_batch(those: Crowd, number: int, ballast: int) -> int:
    """Each part has a savepoint, so that the deadline strikes between statements, too. The status."""
    creation = {"op": "create", "item": {"name": f"late {number}"}}
    operations: list[dict[str, Any]] = []
    for part in range(_PARTS):
        operations += [creation, creation, {"op": "update", "id": ballast, "changes": {"description": f"{part}"}}]
    async with those.client(0) as client:
        return (await client.post("/items/batch", json={"operations": operations})).status_code


# What is held


async def _until_all_have_ended(those: Crowd) -> None:
    """Whoever has left is still being served: how long that takes is the machine's affair."""
    async with asyncio.timeout(_LIMIT):
        while _metric(those, "steward_http_requests_in_progress") > 1:  # noqa: ASYNC110 - one asks for it
            await asyncio.sleep(0.1)


async def _until_nothing_is_held(those: Crowd, most_files: int, outcome: Outcome) -> None:
    give_up_at = time.monotonic() + _QUIET
    while held := await _held(those, most_files):
        if time.monotonic() > give_up_at:
            outcome.violations += held
            return
        await asyncio.sleep(0.1)


async def _held(those: Crowd, most_files: int) -> list[str]:
    held = []
    if those.url.startswith("sqlite"):
        if not _nobody_writes(those.url):
            held.append("the write lock of the file is held")
    elif (transactions := await those.sql(_OPEN_TRANSACTIONS)) != [(0,)]:
        held.append(f"{transactions[0][0]} connections are in a transaction")
    if in_use := _metric(those, "steward_database_connections_in_use"):
        held.append(f"{in_use:g} connections are in use")
    if (files := _open_files(those)) > most_files:
        held.append(f"{files} files are open")
    return held


_OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'steward' AND state != 'idle'
"""


def _nobody_writes(url: str) -> bool:
    with sqlite_file(url) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        file.execute("ROLLBACK")
        return True


def _metric(those: Crowd, name: str) -> float:
    """The sum over all labels."""
    metrics = those.servers[0].client.get("/metrics").raise_for_status().text
    samples = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", metrics, re.MULTILINE)
    assert samples, f"there is no {name}"
    return sum(map(float, samples))


def _open_files(those: Crowd) -> int:
    return len(list(Path(f"/proc/{those.servers[0].process.pid}/fd").iterdir()))


# What came of it


async def _compare(those: Crowd, leavers: list[Leaver], lid: int, outcome: Outcome) -> None:
    """Every request that was sent is done once or not at all, and with its key exactly once in the end."""
    async with those.client(0) as client:
        for leaver in leavers:
            if leaver.was_sent and leaver.headers and leaver.kind in (Kind.CREATE, Kind.BATCH, Kind.TRANSFER):
                method, path, media_type, body = leaver.request(lid)
                headers = {"Content-Type": media_type, **leaver.headers}
                again = await until_done(client, method, path, content=body, headers=headers)
                leaver.status = again.status_code
                outcome.count("asked again")
    names = Counter(dict(await those.sql("SELECT name, count(*) FROM items WHERE name LIKE 'leaver %' GROUP BY name")))
    quantities = dict(await those.sql("SELECT id, quantity FROM items WHERE name = 'own'"))
    for leaver in leavers:
        _compare_one(leaver, names[leaver.name], quantities[leaver.own], outcome)
    [(moved,)] = await those.sql(f"SELECT quantity FROM items WHERE id = {lid}")
    if moved != (taken := sum(quantity == QUANTITY - 1 for quantity in quantities.values())):
        outcome.violations.append(f"{taken} were taken, and {moved} have arrived")


def _compare_one(leaver: Leaver, made: int, quantity: int, outcome: Outcome) -> None:
    """How many items it has made, and what is left of its own."""
    of = {Kind.BATCH: QUANTITY - 1, Kind.TRANSFER: QUANTITY - 1, Kind.CHANGE: CHANGED}
    effect = (MAKES.get(leaver.kind, 0), of.get(leaver.kind, QUANTITY))
    none = (0, QUANTITY)
    if effect == none:
        return
    found = (made, quantity)
    told = f"{leaver.kind.name} of {leaver.name}, answered {leaver.status}"
    if found not in (effect, none):
        outcome.violations.append(f"{told}: {found} is neither nothing nor all of {effect}")
    elif found == effect and not leaver.was_sent:
        outcome.violations.append(f"{told}: done, although not all of it was sent")
    elif found == none and leaver.status is not None and leaver.status < 300:
        outcome.violations.append(f"{told}: not there")
    elif found == effect and leaver.status is not None and leaver.status >= 400:
        outcome.violations.append(f"{told}: there all the same")
    outcome.count("done" if found == effect else "not done")


async def _compare_late(those: Crowd, answers: list[int], outcome: Outcome) -> None:
    for number, status in enumerate(answers):
        [(made,)] = await those.sql(f"SELECT count(*) FROM items WHERE name = 'late {number}'")
        if (status, made) not in ((200, 2 * _PARTS), (503, 0), (409, 0)):
            outcome.violations.append(f"a batch was answered {status}, and {made} of its {2 * _PARTS} items are there")


async def _serve(those: Crowd, lid: int, outcome: Outcome) -> None:
    """As many at once as there are connections."""
    async with those.client(0) as client:
        asked = [client.get(f"/items/{lid}") for _ in range(_POOL)]
        asked += [client.post("/items", json={"name": "after all"}) for _ in range(_POOL)]
        answers = await asyncio.gather(*asked)
    outcome.violations += [f"afterwards: {answer.text}" for answer in answers if answer.is_error]


async def test_clients_that_leave_at_any_point_leave_nothing_half_done_and_nothing_held(server_backend: str) -> None:
    outcome = await check(server_backend, clients=80)
    assert outcome.violations == []
