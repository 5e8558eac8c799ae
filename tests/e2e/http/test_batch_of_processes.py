"""Batches on a real server, and on two at a time."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from tests.support.http import hold_to_the_contract
from tests.support.steward_server import StewardServer

from .test_hammering import until_done


def test_two_server_processes_run_batches_over_the_same_items(server: StewardServer, url_of_module: str) -> None:
    client = server.client
    boxes = [client.post("/items", json={"name": "Box", "quantity": 20}).json()["id"] for _ in range(6)]
    with StewardServer(url_of_module) as other:
        hold_to_the_contract(other.client)
        other.sign_in()

        def run(number: int) -> str:
            path = boxes if number % 2 else boxes[::-1]
            operations: list[dict[str, Any]] = [
                {"op": "transfer", "id": giver, "to": {"item_id": taker}, "quantity": 1 + number % 3}
                for giver, taker in pairwise(path)
            ]
            operations.append({"op": "create", "item": {"name": f"By {number}"}})
            # Where transactions are serializable, whoever has waited for a row begins again; a dozen times, and then it
            # is the client's turn.
            here = (client, other.client)[number // 2 % 2]
            answer = until_done(here, "POST", "/items/batch", json={"operations": operations})
            return "done" if answer.is_success else str(answer.json()["code"])

        with ThreadPoolExecutor(8) as threads:
            codes = Counter(threads.map(run, range(24)))
    assert codes == {"done": 24}
    after = [client.get(f"/items/{item_id}").json() for item_id in boxes]
    assert sum(item["quantity"] for item in after) == 120
    assert sum(item["version"] - 1 for item in after) == 24 * 5 * 2


def test_a_server_process_runs_a_thousand_operations(server: StewardServer) -> None:
    creations = [{"op": "create", "item": {"name": "Lid", "quantity": number}} for number in range(1000)]
    results = server.client.post("/items/batch", json={"operations": creations}).json()["results"]
    ids = [each["id"] for each in results]
    assert ids == sorted(set(ids))
    assert server.client.get(f"/items/{ids[617]}").json()["quantity"] == 617
    deletions = [{"op": "delete", "id": item_id, "version": 1} for item_id in ids]
    assert server.client.post("/items/batch", json={"operations": [*deletions[1:], deletions[1]]}).status_code == 404
    assert server.client.get(f"/items/{ids[617]}").status_code == 200
    assert server.client.post("/items/batch", json={"operations": deletions}).status_code == 200
    assert server.client.get(f"/items/{ids[617]}").status_code == 404
