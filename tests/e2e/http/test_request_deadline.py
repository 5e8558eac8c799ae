"""A request has its answer in time, or an error that says that nothing was stored."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import asyncpg
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


@pytest.mark.parametrize(
    ("setting", "path", "body"),
    [
        ("request_timeout", "/items/{id}", {"name": "Crate"}),
        ("batch_timeout", "/items/batch", {"operations": [{"op": "update", "id": 0, "changes": {"name": "Crate"}}]}),
    ],
)
async def test_what_is_late_is_not_stored(server_url: str, setting: str, path: str, body: dict[str, object]) -> None:
    with StewardServer(server_url, **{setting: 1, "busy_timeout": 3}) as server:
        server.sign_in()
        item = server.client.post("/items", json={"name": "Box"}).raise_for_status().json()
        for operation in body.get("operations", ()):  # type: ignore[attr-defined]
            operation["id"] = item["id"]
        method = "POST" if "operations" in body else "PATCH"
        async with held_by_somebody_else(server_url, item["id"]):
            late = server.client.request(method, path.format(**item), json=body)
        assert (late.status_code, late.json()["code"]) == (503, "deadline_exceeded")
        assert int(late.headers["Retry-After"]) >= 1
        assert server.client.get(f"/items/{item['id']}").json() == item
        assert server.client.request(method, path.format(**item), json=body).status_code == 200
        assert server.client.get(f"/items/{item['id']}").json()["name"] == "Crate"
