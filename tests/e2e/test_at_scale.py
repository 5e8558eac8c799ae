"""Many items, loaded by the command, then walked, changed and deleted over HTTP.

A few thousand in every run; `make scale` takes 100,000.
"""

import os
import re

from ..support.steward_command import steward
from ..support.steward_server import StewardServer

ITEMS = int(os.environ.get("STEWARD_TEST_ITEMS", "3000"))
USERS = ITEMS // 10
EVERY = max(ITEMS // 50, 1)


def test_what_seed_has_loaded_is_walked_changed_and_deleted_over_http(server_url: str) -> None:
    with StewardServer(server_url) as server:
        server.sign_in()
        seeded = steward("seed", "--users", str(USERS), "--items", str(ITEMS), database_url=server_url)
        assert seeded.returncode == 0, seeded.stderr
        walked: list[int] = []
        path: str | None = "/items?limit=200&expand=owner"
        while path is not None:
            answer = server.client.get(path)
            assert answer.status_code == 200, answer.text
            walked += [item["id"] for item in answer.json()["data"]]
            link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
            path = link and link[1]
        assert len(walked) == ITEMS
        assert walked == sorted(set(walked), reverse=True)

        for item_id in walked[::EVERY]:
            answer = server.client.patch(f"/items/{item_id}", json={"quantity": 7, "attributes": {"seen": True}})
            assert (answer.status_code, answer.json()["quantity"]) == (200, 7)
            assert server.client.delete(f"/items/{item_id}").status_code == 204
            assert server.client.get(f"/items/{item_id}").status_code == 404
        left = server.client.get("/items?limit=1").json()["data"]
        assert left[0]["id"] == walked[1]
