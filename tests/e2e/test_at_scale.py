"""Many items, loaded by the command, then walked, changed and deleted over HTTP.

A few thousand in every run; `make scale` takes 100,000.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from ..support.steward_command import steward
from ..support.steward_server import StewardServer

ITEMS = int(os.environ.get("STEWARD_TEST_ITEMS", "3000"))
USERS = ITEMS // 10
EVERY = max(ITEMS // 50, 1)


def walk(server: StewardServer, path: str) -> Iterator[dict[str, Any]]:
    following: str | None = path
    while following is not None:
        answer = server.client.get(following)
        assert answer.status_code == 200, answer.text
        yield from answer.json()["data"]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        following = link and link[1]


def test_what_seed_has_loaded_is_walked_changed_and_deleted_over_http(server_url: str) -> None:
    with StewardServer(server_url) as server:
        server.sign_in()
        seeded = steward("seed", "--users", str(USERS), "--items", str(ITEMS), database_url=server_url)
        assert seeded.returncode == 0, seeded.stderr
        walked = [item["id"] for item in walk(server, "/items?limit=200&expand=owner")]
        assert len(walked) == ITEMS
        assert walked == sorted(set(walked), reverse=True)

        hoarder = server.client.get("/items?limit=1&sort=id").json()["data"][0]["owner_id"]  # who has a tenth of all
        for field in ("name", "quantity", "created_at", "updated_at"):
            own = [(item[field], item["id"]) for item in walk(server, f"/users/{hoarder}/items?limit=200&sort={field}")]
            assert len(own) == ITEMS // 10
            assert own == sorted(set(own))
        assert server.client.get("/items?q=e&count=true&limit=1").json()["count"] <= ITEMS

        for item_id in walked[::EVERY]:
            answer = server.client.patch(f"/items/{item_id}", json={"quantity": 7, "attributes": {"seen": True}})
            assert (answer.status_code, answer.json()["quantity"]) == (200, 7)
            assert server.client.delete(f"/items/{item_id}").status_code == 204
            assert server.client.get(f"/items/{item_id}").status_code == 404
        left = server.client.get("/items?limit=1").json()["data"]
        assert left[0]["id"] == walked[1]
