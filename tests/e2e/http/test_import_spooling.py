"""How the body of `POST /items/import` is kept until all of it has come: whose, where, and for how long."""

import asyncio
import json
import resource
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from steward.entrypoints.http.requests.spooling import MOST_OF_ONE_USER

from tests.support.exchange import Exchange
from tests.support.http import Api, problem_of, serving
from tests.support.postgres import execute

IMPORT = "/items/import"
NDJSON = {"Content-Type": "application/x-ndjson"}
BOX = b'{"name": "Box"}\n'


async def names(api: Api, headers: dict[str, str]) -> list[str]:
    return [item["name"] for item in (await api.client.get("/items?sort=id", headers=headers)).json()["data"]]


async def ada(api: Api) -> dict[str, str]:
    return await api.bearer((await api.user())["id"])


# Whoever sends


async def test_of_a_stranger_nothing_is_read(api: Api) -> None:
    asked = False

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield BOX

    for token in ("rubbish", "stwa_" + "A" * 43):
        exchange = Exchange(api.app, pieces=pieces())
        answer = await exchange.request("POST", IMPORT, {**NDJSON, "Authorization": f"Bearer {token}"})
        assert (answer.status, asked) == (401, False)


async def test_whoever_is_locked_out_while_the_body_comes_adds_nothing(api: Api) -> None:
    user = await api.user()
    headers = await api.bearer(user["id"])

    async def pieces() -> AsyncIterator[bytes]:
        yield BOX
        await api.anonymous.post("/auth/logout", headers=headers)
        yield BOX

    answer = await Exchange(api.app, pieces=pieces()).request("POST", IMPORT, {**headers, **NDJSON})
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "token_revoked")
    assert await names(api, await api.bearer(user["id"])) == []


async def test_one_user_does_not_take_all_the_room_for_bodies(edge: Api) -> None:
    headers = {**await ada(edge), **NDJSON}
    all_wait, go_on = asyncio.Barrier(MOST_OF_ONE_USER + 1), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield BOX
        await all_wait.wait()
        await go_on.wait()

    waiting = [
        asyncio.create_task(Exchange(edge.app, pieces=pieces()).request("POST", IMPORT, headers))
        for _ in range(MOST_OF_ONE_USER)
    ]
    await all_wait.wait()
    assert problem_of(await edge.client.post(IMPORT, content=BOX, headers=headers)) == (503, "overloaded")
    assert (await edge.client.post(IMPORT, content=BOX, headers=NDJSON)).status_code == 200  # somebody else
    go_on.set()
    assert [each.status for each in await asyncio.gather(*waiting)] == [200] * MOST_OF_ONE_USER
    assert edge.app.state.import_places.taken == 0
    assert (await edge.client.post(IMPORT, content=BOX, headers=headers)).status_code == 200


# Where it waits


@pytest.fixture
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _open_in(folder: Path) -> list[str]:
    links = [Path(f"/proc/self/fd/{each.name}") for each in Path("/proc/self/fd").iterdir()]
    return [
        str(link.readlink()) for link in links if link.is_symlink() and str(link.readlink()).startswith(str(folder))
    ]


@pytest.mark.parametrize("ending", ["done", "left", "cancelled", "faulty"])
async def test_a_body_waits_in_a_file_without_a_name_that_is_always_gone(edge: Api, spools: Path, ending: str) -> None:
    headers = {**await ada(edge), **NDJSON}
    seen: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield BOX * 10_000
        seen.append(len(_open_in(spools)))
        seen.append(len(list(spools.iterdir())))
        if ending == "left":
            exchange.left.set()
            await asyncio.Event().wait()
        if ending == "cancelled":
            task.cancel()
            await asyncio.sleep(0)
        if ending == "faulty":
            yield b"{"

    exchange = Exchange(edge.app, pieces=pieces())
    task = asyncio.create_task(exchange.request("POST", IMPORT, headers))
    if ending == "left":
        await exchange.left.wait()
        task.cancel()
    await asyncio.wait([task])
    assert seen == [1, 0]
    assert _open_in(spools) == []
    assert edge.app.state.import_places.taken == 0


async def test_a_client_that_stands_still_is_told_so_and_the_connection_is_closed(sqlite_url: str) -> None:
    async with serving(sqlite_url, import_idle_timeout=0.05) as api:

        async def pieces() -> AsyncIterator[bytes]:
            yield BOX
            await asyncio.Event().wait()

        headers = {**await ada(api), **NDJSON}
        answer = await Exchange(api.app, pieces=pieces()).request("POST", IMPORT, headers)
        assert (answer.status, json.loads(answer.body)["code"]) == (408, "request_timeout")
        assert answer.headers["connection"] == "close"


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [64 * 1024, 0])  # at 0 to close the file fails as well
async def test_where_there_is_no_room_for_a_body_nothing_is_stored(edge: Api, room: int) -> None:
    headers = {**await ada(edge), **NDJSON}
    content = BOX * (10_000 if room else 10)
    with _files_of_at_most(room):
        answer = await edge.client.post(IMPORT, content=content, headers=headers)
    assert problem_of(answer) == (507, "storage_full")
    assert await names(edge, headers) == []


# Its time


async def test_an_import_has_a_deadline_of_its_own(server_url: str) -> None:
    async with serving(server_url, import_timeout=1e-9) as api:
        headers = await ada(api)
        answer = await api.client.post(IMPORT, content=BOX, headers=headers | NDJSON)
        assert problem_of(answer) == (503, "deadline_exceeded")
        assert answer.headers["Retry-After"] == "1"
        assert await names(api, headers) == []


async def test_a_deadline_that_strikes_during_commit_tells_that_nobody_knows(postgres_url: str) -> None:
    async with serving(postgres_url, import_timeout=4) as api:
        headers = await ada(api)
        await execute(
            postgres_url,
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN PERFORM pg_sleep(7); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION wait()",
        )
        answer = await api.client.post(IMPORT, content=BOX, headers=headers | NDJSON)
        assert problem_of(answer) == (503, "outcome_unknown")
        assert "Retry-After" not in answer.headers
        # The server of the database may have done it before it noticed that its client was gone.
        assert await names(api, headers) in (["Box"], [])
