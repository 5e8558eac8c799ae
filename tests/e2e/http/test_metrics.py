"""GET /metrics: that each fault can be told by its figures, and that the figures of several processes add up."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import URL, make_url

from tests.support.commit_proxy import CommitProxy, Cut
from tests.support.figures import Figures
from tests.support.http import problem_of, serving
from tests.support.steward_server import StewardServer

from .breaking import break_writes, mend_writes

_LIMIT = 60.0  # seconds; figures that do not come must end the test
_REQUESTS = "steward_http_requests_total"


async def figures_of(client: httpx2.AsyncClient) -> Figures:
    return Figures((await client.get("/metrics")).raise_for_status().text)


def figures(server: StewardServer) -> Figures:
    return Figures(httpx2.get(f"{server.url}/metrics").raise_for_status().text)


async def test_it_needs_neither_the_database_nor_a_place_in_its_queue(server_url: str) -> None:
    async with serving(server_url, pool_size=1, pool_timeout=0.1, pool_queue=0) as api:
        ada = await api.user()
        admissions = api.database.admissions.values()
        for admission in admissions:
            await admission.enter()
        assert problem_of(await api.client.get(f"/users/{ada['id']}")) == (503, "overloaded")
        found = await figures_of(api.anonymous)
        for admission in admissions:
            admission.leave()
    name = "connections" if server_url.startswith("postgresql") else "readers"
    assert found("steward_database_slots", pool=name) == 1
    assert found("steward_database_connections_in_use", pool=name) == 1
    assert found("steward_database_refused_total", pool=name) == 1
    assert found("steward_problems_total", code="overloaded") == 1


async def test_every_request_is_counted_by_the_template_of_its_route(sqlite_url: str) -> None:
    async with serving(sqlite_url) as api:
        for path in ("/items/1", "/items/2", "/nope/1", "/nope/2"):
            await api.client.get(path)
        await api.client.request("OPTIONS", "/items")
        found = await figures_of(api.client)
    assert found(_REQUESTS, method="GET", route="/items/{item_id}", status="404") == 2
    assert found(_REQUESTS, method="GET", route="unmatched", status="404") == 2
    assert found("steward_problems_total", code="item_not_found") == 2
    assert not any("nope" in str(labels) for labels in found.labels_of(_REQUESTS))


async def test_a_refused_sign_in_is_counted(sqlite_url: str) -> None:
    async with serving(sqlite_url, rate_limits=True, rate_limit_sign_in="1/h") as api:
        form = {"grant_type": "password", "username": "nobody", "password": "wrong"}
        answers = [await api.anonymous.post("/auth/token", data=form) for _ in range(3)]
        found = await figures_of(api.anonymous)
    assert [answer.status_code for answer in answers] == [400, 429, 429]
    assert found("steward_sign_ins_refused_total", code="invalid_credentials") == 1
    assert found("steward_sign_ins_refused_total", code="rate_limited") == 2


async def test_the_queue_of_the_passwords_is_told(sqlite_url: str) -> None:
    slow: dict[str, Any] = {"hash_memory": 64 * 1024, "hash_iterations": 10, "hash_threads": 1, "hash_queue": 1}
    async with serving(sqlite_url, **slow) as api:
        hasher = api.container.hasher()
        hashing = [asyncio.create_task(hasher.hash("swordfish 8")) for _ in range(3)]
        await asyncio.wait(hashing, return_when=asyncio.FIRST_COMPLETED)  # the one that is refused
        assert (hasher.in_use, hasher.waiting, hasher.refused) == (1, 1, 1)
        await asyncio.gather(*hashing, return_exceptions=True)
        found = await figures_of(api.client)
    assert found("steward_hashing_slots") == 1
    assert found("steward_hashing_in_use") == found("steward_hashing_waiting") == 0
    assert found("steward_hashing_refused_total") == 1


def through(proxy: CommitProxy, target: URL) -> str:
    return target.set(host="127.0.0.1", port=proxy.own_port).render_as_string(hide_password=False)


async def test_retries_and_unknown_outcomes_are_counted(postgres_url: str) -> None:
    target = make_url(postgres_url)
    proxy = CommitProxy(str(target.host), int(target.port or 5432))
    async with proxy.open(), serving(through(proxy, target)) as api:
        await break_writes(postgres_url, "40001")
        assert problem_of(await api.client.post("/items", json={"name": "Box"})) == (409, "conflict")
        await mend_writes(postgres_url)
        proxy.cuts.append(Cut.AFTER)
        assert problem_of(await api.client.post("/items", json={"name": "Box"})) == (503, "outcome_unknown")
        found = await figures_of(api.client)
    assert found("steward_transaction_retries_total") >= 1
    assert found("steward_unknown_outcomes_total") == 1


async def test_two_applications_in_one_process_share_no_figures(sqlite_url: str) -> None:
    async with serving(sqlite_url) as one, serving(sqlite_url) as other:
        await one.client.get("/nope")
        assert (await figures_of(one.client))("steward_problems_total", code="route_not_found") == 1
        assert (await figures_of(other.client))("steward_problems_total", code="route_not_found") == 0


async def test_it_can_be_switched_off(sqlite_url: str) -> None:
    async with serving(sqlite_url, metrics=False) as api:
        assert problem_of(await api.client.get("/metrics")) == (404, "route_not_found")


def test_of_several_processes_any_one_answers_for_all(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, "--workers", "3") as server:
        for _ in range(60):  # each on a connection of its own: they come to all of them
            assert httpx2.get(f"{server.url}/nope").status_code == 404
        # A request is counted after its answer.
        found = _until(server, lambda found: found("steward_processes") == 3 and _unmatched(found) == 60)
        assert found("steward_database_slots", pool="writer") == 3
        assert {_unmatched(figures(server)) for _ in range(10)} == {60}
        assert server.stop() == 0


def test_a_process_that_has_died_leaves_what_it_has_counted_and_nothing_else(sqlite_url: str) -> None:
    with StewardServer(sqlite_url, "--workers", "2") as server:
        for _ in range(40):
            httpx2.get(f"{server.url}/nope")
        _until(server, lambda found: found("steward_processes") == 2 and _unmatched(found) == 40)
        killed = _workers_of(server)[0]
        shared = _shared_by(killed)
        os.kill(killed, signal.SIGKILL)
        # Until its successor tells, and nobody tells of it any more: one that nobody has looked after yet is a zombie.
        _until(
            server, lambda _: len(_workers_of(server)) == 2 and _telling(shared) == set(_workers_of(server)) - {killed}
        )
        found = _until(server, lambda found: found("steward_processes") == 2)
        assert found("steward_database_slots", pool="writer") == 2
        assert _unmatched(found) == 40
        told = f"Server process {killed} has ended"
        _until(server, lambda _: any(told in line for line in server.errors))
    assert len([line for line in server.errors if told in line]) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_the_processes_share_is_gone_when_they_are(how: signal.Signals, sqlite_url: str) -> None:
    with StewardServer(sqlite_url, "--workers", "2") as server:
        shared = _shared_by(_workers_of(server)[0])
        assert shared.is_dir()
        server.stop(how)
    give_up_at = time.monotonic() + _LIMIT
    while shared.exists():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_one_process_keeps_its_figures_to_itself_whatever_the_environment_says(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (others := tmp_path / "others").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(others))
    with StewardServer(sqlite_url) as server:
        assert figures(server)("steward_processes") == 1
    assert list(others.iterdir()) == []


def _shared_by(worker: int) -> Path:
    """The directory in which the processes keep their figures together."""
    environment = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    (found,) = [each.partition(b"=")[2].decode() for each in environment if each.startswith(b"PROMETHEUS_")]
    return Path(found)


def _telling(shared: Path) -> set[int]:
    """Which processes tell there what they hold."""
    return {int(file.stem.rpartition("_")[2]) for file in shared.glob("gauge_live*.db")}


def _workers_of(server: StewardServer) -> list[int]:
    """Those that serve; multiprocessing has a process of its own among the children."""
    supervisor = server.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in _command_line_of(pid)]


def _command_line_of(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def _unmatched(found: Figures) -> float:
    return found(_REQUESTS, method="GET", route="unmatched", status="404")


def _until(server: StewardServer, holds: Callable[[Figures], bool]) -> Figures:
    """The figures of which it holds. Those of other processes are a second old at most; a new process takes as long as
    it takes to start."""
    give_up_at = time.monotonic() + _LIMIT
    while True:
        with suppress(httpx2.TransportError):  # of the process that was killed
            found = figures(server)
            if holds(found):
                return found
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
