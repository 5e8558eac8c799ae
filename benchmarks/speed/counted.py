"""Statements and round trips a request, counted on the wire to PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import httpx2
from sqlalchemy import make_url

from tests.support.wire_counter import WireCounter, counting

from .data import BenchDatabase
from .rounds import WrongAnswers
from .servers import serving
from .work import Request, Work

_REQUESTS = 100
_WARM_UP = 10  # there is one connection, and asyncpg looks up types and prepares once


@dataclass(frozen=True)
class Counts:
    """A request's; `of_transactions` are BEGIN, COMMIT and their like, which are not among the `statements`."""

    statements: float
    of_transactions: float
    round_trips: float


def count(names: Sequence[str], database: BenchDatabase, operations: Sequence[str]) -> dict[str, dict[str, Counts]]:
    """By server and operation; of one connection and one request at a time."""
    url = make_url(database.url)
    assert url.host is not None
    assert url.port is not None
    counts = {}
    with counting(url.host, url.port) as counter:
        counted = url.set(host="127.0.0.1", port=counter.port).render_as_string(hide_password=False)
        for name in names:
            with serving(name, counted, pool_size=1) as running, httpx2.Client(base_url=running.url) as client:
                counts[name] = {
                    operation: _count(client, counter, _work(running.owner, database, operation), running.token)
                    for operation in operations
                }
    return counts


def _work(owner: str, database: BenchDatabase, operation: str) -> list[Request]:
    number, random = _WARM_UP + _REQUESTS, Random(7)
    versions = database.versions(number, random) if operation == "patch" else {}
    return Work(database.items, owner, versions).requests(operation, number, random)


def _count(client: httpx2.Client, counter: WireCounter, work: list[Request], token: str) -> Counts:
    for number, request in enumerate(work):
        if number == _WARM_UP:
            counter.reset()
        answer = client.request(
            request.method, request.path, content=request.body or None, headers=request.headers(token)
        )
        if not answer.is_success:
            raise WrongAnswers(f"{request}: {answer.status_code} {answer.text}")
    asked = len(work) - _WARM_UP
    return Counts(counter.statements / asked, counter.transaction_statements / asked, counter.round_trips / asked)
