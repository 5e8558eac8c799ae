"""What only a real server over a real socket can show; an in-process client cannot even see a late commit."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.domain.actors import Actor
from steward.domain.users import UserId
from steward.service_layer import lists, users

from tests.support.http import hold_to_the_contract, problem_of
from tests.support.postgres import PostgresServer
from tests.support.steward_server import StewardServer

from .breaking import break_commits, mend_writes

SYSTEM = Actor.system()


def new_user(name: str) -> dict[str, Any]:
    return {"username": name, "email": f"{name}@example.org", "password": "swordfish 8"}


def made(server: StewardServer, name: str) -> dict[str, Any]:
    answer = server.client.post("/users", json=new_user(name))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def connect(server: StewardServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


def head_of(server: StewardServer, request_line: str, *fields: str) -> bytes:
    """As the admin, who has signed in."""
    lines = [f"{request_line} HTTP/1.1", "Host: steward.test", *fields]
    lines += [f"{name}: {value}" for name, value in server.credentials.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def post_item(server: StewardServer, name: str, *fields: str) -> bytes:
    body = f'{{"name":"{name}"}}'
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", *fields)
    return head_of(server, "POST /items", *fields) + body.encode()


@pytest.mark.parametrize(("state", "problem"), [("23505", 500), ("40001", 409), ("57P01", 503)])
async def test_a_commit_that_fails_is_no_201_and_stores_nothing(
    postgres_server: StewardServer, postgres_of_module: str, state: str, problem: int
) -> None:
    await break_commits(postgres_of_module, state)
    with httpx2.Client(base_url=postgres_server.url) as client:
        answer = client.post("/users", json=new_user(f"late-{problem}"))
        assert answer.status_code == problem
        assert answer.headers["Content-Type"] == "application/problem+json"
    await mend_writes(postgres_of_module)
    assert postgres_server.client.post("/users", json=new_user(f"late-{problem}")).status_code == 201


@pytest.mark.parametrize("round_", range(2))
async def test_what_was_acknowledged_is_there_after_a_kill(server_url: str, round_: int) -> None:
    names = [f"box-{number}" for number in range(10)]
    with StewardServer(server_url) as server:
        server.sign_in()
        connections = [await connect(server) for _ in names]
        for name, (_, writer) in zip(names, connections, strict=True):
            writer.write(post_item(server, name))
        lines = [asyncio.create_task(reader.readline()) for reader, _ in connections]
        await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        server.kill()
        answers = await asyncio.gather(*lines, return_exceptions=True)
        for _, writer in connections:
            writer.close()
    acknowledged = {name for name, line in zip(names, answers, strict=True) if line == b"HTTP/1.1 201 Created\r\n"}
    assert acknowledged
    async with Database(server_url) as database:
        kept = {item.name for item in await lists.list_items(database.unit_of_work(), SYSTEM, limit=100)}
    assert acknowledged <= kept


def test_a_patch_shows_the_time_of_the_change(server: StewardServer) -> None:
    before = made(server, "patched")
    after = server.client.patch(f"/users/{before['id']}", json={"email": "patched@example.net"}).json()
    assert after["updated_at"] > before["updated_at"] == before["created_at"]
    age = datetime.now(UTC) - datetime.fromisoformat(after["updated_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)


async def test_a_change_from_elsewhere_is_seen_at_once(server: StewardServer, url_of_module: str) -> None:
    user = made(server, "shared")
    path = f"/users/{user['id']}"
    assert server.client.patch(path, json={"email": "first@example.org"}).json()["version"] == 2
    async with Database(url_of_module) as database:
        await users.update_user(database.unit_of_work(), SYSTEM, user_id=UserId(user["id"]), email="second@example.org")
    seen = server.client.get(path).json()
    assert (seen["email"], seen["version"]) == ("second@example.org", 3)


async def test_of_two_who_sign_up_at_once_under_one_address_one_gets_it(server: StewardServer) -> None:
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
        bodies = [{**new_user(f"racer{number}"), "email": "racer@example.org"} for number in range(2)]
        answers = await asyncio.gather(*(client.post("/users", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_a_hundred_requests_at_once_are_answered(server: StewardServer) -> None:
    limits = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(base_url=server.url, timeout=60, limits=limits, headers=server.credentials) as client:
        answers = await asyncio.gather(*(client.post("/users", json=new_user(f"crowd{n}")) for n in range(100)))
        assert {answer.status_code for answer in answers} == {201}
        made = {answer.json()["id"]: answer.json() for answer in answers}
        assert len(made) == 100
        shown = await asyncio.gather(*(client.get(f"/users/{id}") for id in made))
        assert [answer.json() for answer in shown] == list(made.values())


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/users/9999999999999999999999", b""),
        ("GET", "/users/1099511627776", b""),
        ("GET", "/items?owner_id=9223372036854775808", b""),
        ("POST", "/items", b'{"owner_id":1,"name":"\\u0000"}'),
        ("POST", "/items", b'{"owner_id":1,"name":"\\ud800"}'),
        ("POST", "/items", b'{"owner_id":1,"name":"Box","attributes":{"a":"\\u0000"}}'),
        ("POST", "/items", b'{"owner_id":1,"name":"Box","quantity":99999999999}'),
        ("POST", "/users", b'{"username":"a\\u0000bc","email":"a@b","password":"12345678"}'),
        ("POST", "/items", b"[" * 100_000),
    ],
)
def test_what_a_database_would_choke_on_is_the_clients_fault(
    server: StewardServer, method: str, path: str, content: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.client.request(method, path, content=content, headers=headers)
    assert 400 <= answer.status_code < 500


async def test_head_leaves_the_body_out_and_the_connection_whole(server: StewardServer) -> None:
    reader, writer = await connect(server)
    writer.write(head_of(server, "HEAD /users/1") + head_of(server, "GET /livez", "Connection: close"))
    head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"etag: " in head
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert rest.endswith(b'{"status":"ok"}')


def test_who_sends_too_much_is_told_so(server: StewardServer) -> None:
    headers = {"Content-Type": "application/json"}
    announced = server.client.post("/items", content=b" " * 5_000_000, headers=headers)
    assert problem_of(announced) == (413, "body_too_large")
    in_chunks = server.client.post("/items", content=(b" " * 10_000 for _ in range(500)), headers=headers)
    assert problem_of(in_chunks) == (413, "body_too_large")


async def test_a_body_announced_as_too_large_is_not_waited_for(server: StewardServer) -> None:
    reader, writer = await connect(server)
    writer.write(head_of(server, "POST /items", "Content-Type: application/json", "Content-Length: 5000000"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_client_who_leaves_in_the_middle_is_no_error(server: StewardServer) -> None:
    before = len(server.errors)
    whole = post_item(server, "left behind", "Connection: close")
    for cut in (60, whole.index(b"\r\n\r\n") + 4, len(whole) - 1):
        _, writer = await connect(server)
        writer.write(whole[:cut])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    reader, writer = await connect(server)
    writer.write(whole)
    assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    writer.close()
    names = [item["name"] for item in server.client.get("/items?limit=200").json()["data"]]
    assert names.count("left behind") == 1
    assert not any('"level":"error"' in line for line in server.errors[before:])


IN_TRANSACTION = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
"""


async def test_a_slow_reader_holds_no_transaction(postgres_server: StewardServer, postgres_of_module: str) -> None:
    for _ in range(20):
        body = {"name": "Box", "description": "x" * 10_000, "attributes": {"a": "y" * 15_000}}
        postgres_server.client.post("/items", json=body)
    readers = [await connect(postgres_server) for _ in range(20)]
    for _, writer in readers:
        writer.write(head_of(postgres_server, "GET /items?limit=200&expand=owner"))
    for reader, _ in readers:
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"  # and nothing more is read
    async with Database(postgres_of_module) as database, database.reader() as session:
        count = (await (await session.connection()).exec_driver_sql(IN_TRANSACTION)).scalar_one()
    assert count == 0
    assert postgres_server.client.get("/readyz").status_code == 200
    for _, writer in readers:
        writer.close()


async def until_ready(client: httpx2.Client) -> None:
    """A database that is slow to answer is not asked again at once."""
    for _ in range(1200):
        if client.get("/readyz").status_code == 200:
            return
        await asyncio.sleep(0.05)
    pytest.fail("it was not ready any more")


async def test_while_the_database_is_away_the_answer_is_503_and_then_all_is_well_again() -> None:
    postgres = PostgresServer(durable=True)
    try:
        url = postgres.url("postgres")
        async with Database(url) as database:
            await schema.upgrade(database)
        with StewardServer(url) as server:
            client = hold_to_the_contract(server.client)
            server.sign_in()
            user = made(server, "ada")
            for how in (signal.SIGINT, signal.SIGQUIT):
                postgres.stop(how=how, keep=True)
                for answer in (
                    client.get("/readyz"),
                    client.get(f"/users/{user['id']}"),
                    client.get("/items?expand=owner"),
                    client.post("/users", json=new_user("bob")),
                    client.patch(f"/users/{user['id']}", json={"email": "a@example.net"}),
                ):
                    assert problem_of(answer) == (503, "database_unavailable")
                    assert answer.headers["Retry-After"]
                assert client.get("/livez").status_code == 200
                postgres.start()
                await until_ready(client)
                assert client.get(f"/users/{user['id']}").json() == user
                user = client.patch(f"/users/{user['id']}", json={"email": f"{how}@example.org"}).json()
                assert user["version"] > 1
    finally:
        postgres.stop()


def test_a_server_that_has_been_told_to_end_is_not_ready_any_more(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, drain_time=60, shutdown_timeout=60) as server:
        client = hold_to_the_contract(server.client)
        assert client.get("/readyz").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        while (answer := client.get("/readyz")).status_code == 200:
            pass
        assert problem_of(answer) == (503, "shutting_down")
        assert client.get("/livez").status_code == 200
        server.kill()
