"""What the rest of the contract promises, asked of a server process: conditions, keys that have run out, bulk
insertions that fail, and files that are refused."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx2
import pytest
from sqlalchemy import Executable, text
from steward.adapters.database.database import Database
from steward.adapters.purge import PURGE_BATCH_SIZE

from tests.support.http import faults_of, hold_to_the_contract, problem_of, serving
from tests.support.postgres import execute
from tests.support.steward_server import StewardServer

NDJSON, CSV = ({"Content-Type": kind} for kind in ("application/x-ndjson", "text/csv"))
IMPORT, LARGEST_IMPORT = "/items/import", 64 * 1024


@pytest.fixture(scope="module")
def strict(url_of_module: str) -> Iterator[StewardServer]:
    """It wants versions named, and takes small files only."""
    settings = {"require_if_match": True, "max_import_size": LARGEST_IMPORT}
    with StewardServer(url_of_module, **settings) as server:
        hold_to_the_contract(server.client)
        server.sign_in()
        yield server


def new_item(server: StewardServer, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = server.client.post("/items", json={"name": "Box", **fields}).raise_for_status().json()
    return made


def count_of(server: StewardServer, name: str) -> int:
    return int(server.client.get("/items", params={"name": name, "count": "true"}).json()["count"])


def told(answer: httpx2.Response) -> str:
    return str(answer.json()["code"]) if answer.is_error else str(answer.status_code)


# Conditional requests


@pytest.mark.parametrize(
    ("value", "status"),
    [('"x", W/"{}-1"', 304), ('"{}-2", "x"', 200), ("{}-1", 422)],  # the others: test_conditional_requests.py
)
def test_what_the_client_has_already_is_not_sent_again(server: StewardServer, value: str, status: int) -> None:
    item_id = new_item(server)["id"]
    answer = server.client.get(f"/items/{item_id}", headers={"If-None-Match": value.format(item_id)})
    assert answer.status_code == status
    assert (answer.content == b"") == (status == 304)
    assert status == 422 or answer.headers["ETag"] == f'"{item_id}-1"'


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "transfer"])
@pytest.mark.parametrize(
    ("value", "may"),
    [('"x", "{}-1"', True), ('"{}-2"', False)],  # the others: test_conditional_requests.py
)
def test_a_change_is_made_from_a_version_that_was_named_or_not_at_all(
    server: StewardServer, method: str, value: str, may: bool
) -> None:
    box, lid = new_item(server)["id"], new_item(server)["id"]
    headers = {"If-Match": value.format(box)}
    if method == "transfer":
        answer = server.client.post(f"/items/{box}/transfer", json={"to": {"item_id": lid}}, headers=headers)
    else:
        body = {"name": "Lid"} if method == "PATCH" else None
        answer = server.client.request(method, f"/items/{box}", headers=headers, json=body)
    assert told(answer) == (("204" if method == "DELETE" else "200") if may else "version_mismatch")
    if not may:
        assert server.client.get(f"/items/{box}").json()["version"] == 1


def test_where_versions_have_to_be_named_what_names_none_is_428(strict: StewardServer) -> None:
    client, box, lid = strict.client, new_item(strict)["id"], new_item(strict)["id"]
    path, named = f"/items/{box}", {"If-Match": f'"{box}-1"'}
    transfer = {"to": {"item_id": lid}}
    deletion = {"op": "delete", "id": box}
    missing = (428, "precondition_required")
    assert problem_of(client.patch(path, json={"name": "Lid"})) == missing
    assert problem_of(client.delete(path)) == missing
    assert problem_of(client.post(f"{path}/transfer", json=transfer)) == missing
    assert problem_of(client.post("/items/batch", json={"operations": [deletion]})) == missing
    assert problem_of(client.patch("/items/9999999", json={"name": "Lid"})) == (404, "item_not_found")
    assert problem_of(client.patch(path, json={"name": ""})) == (422, "invalid_request")
    assert client.post(f"{path}/transfer", json=transfer, headers=named).status_code == 200
    assert problem_of(client.delete(path, headers=named)) == (412, "version_mismatch")
    assert client.post("/items/batch", json={"operations": [{**deletion, "version": 2}]}).status_code == 200


# Idempotency keys


async def test_a_key_that_has_expired_counts_as_absent_and_a_few_are_swept_at_a_time(
    server: StewardServer, url_of_module: str
) -> None:
    many = 2 * PURGE_BATCH_SIZE + 5

    def send(key: str) -> httpx2.Response:
        body = {"name": "Of a key"}
        return server.client.post("/items", json=body, headers={"Idempotency-Key": key}).raise_for_status()

    first = [send(f"expires-{number}").json()["id"] for number in range(many)]
    assert send("expires-0").headers["Idempotent-Replayed"] == "true"
    async with Database(url_of_module) as database:
        async with database.session() as session:
            await session.execute(text("UPDATE idempotency_keys SET expires_at = '2020-01-01 00:00:00+00:00'"))
        assert await _count(database, _EXPIRED) == many
        again = send("expires-0")
        assert "Idempotent-Replayed" not in again.headers
        assert again.json()["id"] not in first
        left = [await _count(database, _EXPIRED)]
        for number in range(3):
            send(f"later-{number}")
            left.append(await _count(database, _EXPIRED))
    # The first of them was claimed anew.
    assert left == [many - 1 - PURGE_BATCH_SIZE, many - 1 - 2 * PURGE_BATCH_SIZE, 0, 0]


async def test_who_repeats_a_request_that_is_still_under_way_is_told_to_come_back(
    postgres_server: StewardServer, postgres_of_module: str
) -> None:
    """Where that takes longer than a repetition waits. On SQLite, units write one after the other: there it waits."""
    await execute(postgres_of_module, *_WAITING_INSERTION)
    other = await asyncpg.connect(postgres_of_module.replace("+asyncpg", ""))
    async with serving(postgres_of_module) as api:

        async def send() -> httpx2.Response:
            headers = {"Idempotency-Key": "slow"}
            return await api.client.post("/items", json={"name": "Slow"}, headers=headers)

        try:
            await other.execute(f"SELECT pg_advisory_lock({_LOCK})")
            first = asyncio.create_task(send())
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not first.done()
            told = await send()
        finally:
            await other.close()
        done, again = await first, await send()
    assert problem_of(told) == (409, "idempotency_key_in_use")
    assert int(told.headers["Retry-After"]) >= 1
    assert (done.status_code, again.content) == (201, done.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert count_of(postgres_server, "Slow") == 1


async def _count(database: Database, statement: Executable) -> int:
    async with database.reader() as session:
        return int(await session.scalar(statement) or 0)


_LOCK = 4711
_WAITING_INSERTION = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
    f"AS $$ BEGIN PERFORM pg_advisory_xact_lock({_LOCK}); RETURN NEW; END $$",
    "CREATE TRIGGER slow BEFORE INSERT ON items FOR EACH ROW WHEN (NEW.name = 'Slow') EXECUTE FUNCTION slow()",
)
_EXPIRED = text("SELECT count(*) FROM idempotency_keys WHERE expires_at < '2021-01-01 00:00:00+00:00'")


# Batches


@pytest.mark.parametrize("at_fault", [0, 617, 999])
def test_what_fails_in_a_bulk_insertion_is_named_and_nothing_of_it_stays(server: StewardServer, at_fault: int) -> None:
    name = f"bulk {at_fault}"
    operations: list[dict[str, Any]] = [{"op": "create", "item": {"name": name}} for _ in range(1000)]
    operations[at_fault]["item"]["owner_id"] = 2**62
    refused = server.client.post("/items/batch", json={"operations": operations})
    assert faults_of(refused) == [(f"/operations/{at_fault}/item/owner_id", "unknown_owner")]
    assert count_of(server, name) == 0
    del operations[at_fault]["item"]["owner_id"]
    assert len(server.client.post("/items/batch", json={"operations": operations}).json()["results"]) == 1000
    assert count_of(server, name) == 1000


# Files


@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_of_a_file_the_first_hundred_faults_are_told_each_with_its_line(server: StewardServer, format: str) -> None:
    good, bad = (b"Good,1\n", b"Bad,-1\n") if format == "csv" else (b'{"name": "Good"}\n', b'{"quantity": -1}\n')
    head, kind = (b"name,quantity\n", CSV) if format == "csv" else (b"", NDJSON)
    answer = server.client.post(IMPORT, content=head + (good + bad) * 150, headers=kind)
    assert problem_of(answer) == (422, "invalid_request")
    faults = answer.json()["errors"]
    assert len(faults) == 100
    assert answer.json()["detail"].startswith(f"{150 if format == 'csv' else 300} faults, the first in line ")
    first = 3 if format == "csv" else 2
    assert [fault["line"] for fault in faults if fault["pointer"] == "/quantity"][:3] == [first, first + 2, first + 4]
    assert {fault["code"] for fault in faults} <= {"greater_than_equal", "missing"}
    assert count_of(server, "Good") == 0


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_has_a_limit_of_its_own(strict: StewardServer, announced: bool) -> None:
    name = f"Large, {announced}"
    line = b'{"name": "%s"}\n' % name.encode()
    lines = LARGEST_IMPORT // len(line)

    def sent(count: int) -> Any:
        return line * count if announced else iter([line] * count)

    assert problem_of(strict.client.post(IMPORT, content=sent(lines + 1), headers=NDJSON)) == (413, "body_too_large")
    assert count_of(strict, name) == 0
    assert strict.client.post(IMPORT, content=sent(lines), headers=NDJSON).json() == {"created": lines}
    assert count_of(strict, name) == lines
