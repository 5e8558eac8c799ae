"""The network between server and PostgreSQL swallows everything for a while, and resets nothing."""

import asyncio
import random

import asyncpg
import pytest
from sqlalchemy import make_url
from steward.config import load_settings

from tests.support.proxy import Proxy

from .databases import fresh_database
from .journal import stored_in
from .report import Outcome
from .servers import running
from .workload import BACK_WITHIN, WRITERS, Workload

_IDLE_LIMIT = 20.0  # seconds: idle_in_transaction_session_timeout, as our connections set it
_WAY = 1.0  # seconds that may go by between two looks at it


async def check(backend: str, *, outages: int, seconds: int) -> Outcome:
    """Each outage lasts so many seconds: longer than every deadline of a request, if the check is to mean something.

    What is sent meanwhile arrives late, as TCP sends again what nobody has acknowledged; or, by turns, it is lost and
    so is its connection, as by a firewall that has forgotten it.
    """
    outcome = Outcome("swallowed packets", backend, {"outages": outages, "s each": seconds, "writers": WRITERS})
    async with fresh_database(backend) as url:
        target = make_url(url)
        assert target.host is not None
        assert target.port is not None
        async with Proxy(target.host, target.port).open() as proxy:
            through = target.set(port=proxy.port).render_as_string(hide_password=False)
            async with running(through) as server:
                load = Workload()
                await load.prepare(server)
                async with load.under_way(server.url):
                    await load.until_acknowledged(WRITERS, within=BACK_WITHIN)
                    for number in range(outages):
                        await asyncio.sleep(random.uniform(0, 0.3))
                        if number % 2:
                            proxy.is_swallowing = True
                        else:
                            proxy.flowing.clear()
                        await _watch_transactions(url, seconds, outcome)
                        proxy.is_swallowing = False
                        proxy.flowing.set()
                        await load.until_back(outcome)
                load.report_answers(outcome, slowest=load_settings(database_url=url).request_timeout)
                outcome.count("left in a transaction", await _left_in_a_transaction(url))
                if outcome.figures["left in a transaction"]:
                    outcome.violations.append("connections were left in a transaction")
        load.journal.compare(await stored_in(url, load.journal.pairs), outcome)
    return outcome


async def _watch_transactions(url: str, seconds: int, outcome: Outcome) -> None:
    """PostgreSQL ends by itself what idles in a transaction, and cannot be told that its client is gone."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            idle = await connection.fetchval(_LONGEST_IDLE)
            outcome.slowest(_IDLE, float(idle))
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
    if outcome.figures[_IDLE] > _IDLE_LIMIT + _WAY:
        outcome.late.append("a connection idled in a transaction beyond idle_in_transaction_session_timeout")


async def _left_in_a_transaction(url: str) -> int:
    """After a moment: the server of the database notices at its own pace that a client has gone."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for _ in range(300):  # 15 s: less than after which PostgreSQL itself ends what idles in a transaction
            if not (left := await connection.fetchval(_IN_A_TRANSACTION)):
                break
            await asyncio.sleep(0.05)
        return int(left)
    finally:
        await connection.close()


_IDLE = "s the longest idle in a transaction"
_OURS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'steward'"
_LONGEST_IDLE = f"""
    SELECT coalesce(extract(epoch FROM max(clock_timestamp() - state_change)), 0) {_OURS}
    AND state LIKE 'idle in transaction%'
"""
_IN_A_TRANSACTION = f"SELECT count(*) {_OURS} AND state != 'idle'"


@pytest.mark.parametrize("on", ["postgres"])
async def test_a_network_that_swallows_packets_leaves_no_request_unanswered_and_loses_nothing(on: str) -> None:
    outcome = await check(on, outages=1, seconds=12)
    assert outcome.violations == []
