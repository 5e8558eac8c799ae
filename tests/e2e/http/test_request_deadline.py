"""A request has its answer in time, or an error that says that nothing was stored."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import asyncpg
import httpx2
import pytest
from sqlalchemy import make_url

from tests.support.steward_server import StewardServer


@asynccontextmanager
async def held_by_somebody_else(url: str, item_id: int) -> AsyncIterator[None]:
    """Nobody can change the item meanwhile: its row is locked, on SQLite the whole file."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE").close()
            yield
    else:
        other = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            async with other.transaction():
                await other.execute("SELECT 1 FROM items WHERE id = $1 FOR UPDATE", item_id)
                yield
        finally:
            await other.close()


@pytest.fixture(scope="module")
def server(url_of_module: str) -> Iterator[StewardServer]:
    """Whose deadline comes before everybody else's."""
    with StewardServer(url_of_module, request_timeout=4, batch_timeout=4) as server:
        server.sign_in()
        yield server


@pytest.mark.parametrize("is_batch", [False, True])
async def test_what_is_late_is_not_stored(server: StewardServer, url_of_module: str, is_batch: bool) -> None:
    item = server.client.post("/items", json={"name": "Box"}).raise_for_status().json()

    def rename() -> httpx2.Response:
        changes = {"name": "Crate"}
        if not is_batch:
            return server.client.patch(f"/items/{item['id']}", json=changes)
        operations = [{"op": "update", "id": item["id"], "changes": changes}]
        return server.client.post("/items/batch", json={"operations": operations})

    async with held_by_somebody_else(url_of_module, item["id"]):
        late = rename()
    assert (late.status_code, late.json()["code"]) == (503, "deadline_exceeded")
    assert int(late.headers["Retry-After"]) >= 1
    assert server.client.get(f"/items/{item['id']}").json() == item
    assert rename().status_code == 200
    assert server.client.get(f"/items/{item['id']}").json()["name"] == "Crate"
