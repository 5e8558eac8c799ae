"""What Steward is compared with does the same work: `make bench` would compare nothing else."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx2
import pytest

from benchmarks.speed.data import BenchDatabase, filled
from benchmarks.speed.servers import NAMES, Running, all_serving
from benchmarks.speed.work import OPERATIONS, Work

ITEMS = 200
CLIENT = httpx2.Client(timeout=60, verify=False, limits=httpx2.Limits(max_keepalive_connections=0))
MAY_DIFFER = {"id", "owner_id", "name", "created_at", "updated_at", "next_cursor"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[BenchDatabase]:
    with filled(request.param, ITEMS) as database:
        yield database


@pytest.fixture(scope="module")
def servers(database: BenchDatabase) -> Iterator[list[Running]]:
    with all_serving(NAMES, database.url, pool_size=2) as servers:
        yield servers


def ask(running: Running, database: BenchDatabase, operation: str) -> httpx2.Response:
    """One request of the benchmark; what changes an item changes one that is as it was when it was filled."""
    random = Random(running.name if operation == "transfer" else operation)
    versions = database.versions(ITEMS, random)
    untouched = {each: version for each, version in versions.items() if version == 1}
    request = Work(ITEMS, running.owner, untouched).requests(operation, 1, random)[0]
    return CLIENT.request(
        request.method,
        running.url + request.path,
        content=request.body or None,
        headers=request.headers(running.token),
    )


def comparable(value: Any) -> Any:
    """Of what may differ from item to item, only what kind of value it is."""
    if isinstance(value, dict):
        return {
            name: type(member).__name__ if name in MAY_DIFFER else comparable(member) for name, member in value.items()
        }
    return [comparable(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("operation", OPERATIONS)
def test_all_servers_answer_alike(operation: str, servers: list[Running], database: BenchDatabase) -> None:
    answers = {running.name: ask(running, database, operation) for running in servers}
    steward = answers["steward"]
    assert steward.is_success, steward.text
    for answer in answers.values():
        assert answer.status_code == steward.status_code, answer.text
        assert json.dumps(comparable(answer.json())) == json.dumps(comparable(steward.json()))  # their order as well


def test_a_version_that_is_gone_is_refused_by_all_of_them(servers: list[Running], database: BenchDatabase) -> None:
    for running in servers:
        assert ask(running, database, "patch").status_code == 200
        request = Work(ITEMS, running.owner, {1: 999}).requests("patch", 1, Random(7))[0]
        stale = CLIENT.patch(running.url + request.path, content=request.body, headers=request.headers(running.token))
        assert stale.status_code == 412
