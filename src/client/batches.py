"""`/items/batch`: many changes of items in one transaction."""

from collections.abc import Mapping
from typing import Any

import httpx2

from . import bodies
from .bodies import Recipient, id_of
from .calls import Call, Operation, call
from .values import UNSET, BatchResult, Item, Owner, Unset, User

_RUN = Operation("run_batch", "POST", "/items/batch", keyed=True)


class Batch:
    """Gathers operations, at most 1,000; `client.items.batch` does them in this order, all or none.

    Of an `Item` this very version is changed; of an id any.
    """

    def __init__(self) -> None:
        self.operations: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.operations)

    def create(
        self,
        *,
        name: str,
        description: str | None | Unset = UNSET,
        quantity: int | Unset = UNSET,
        attributes: Mapping[str, Any] | Unset = UNSET,
        owner: User | Owner | int | Unset = UNSET,
    ) -> None:
        item = bodies.new_item(name, description, quantity, attributes, owner)
        self.operations.append({"op": "create", "item": item})

    def update(
        self,
        item: Item | int,
        *,
        name: str | Unset = UNSET,
        description: str | None | Unset = UNSET,
        quantity: int | Unset = UNSET,
        attributes: Mapping[str, Any] | Unset = UNSET,
    ) -> None:
        changes = bodies.changes(name, description, quantity, attributes)
        self.operations.append({"op": "update", **_seen(item), "changes": changes})

    def delete(self, item: Item | int) -> None:
        self.operations.append({"op": "delete", **_seen(item)})

    def transfer(self, item: Item | int, to: Recipient, *, quantity: int | None = None) -> None:
        self.operations.append({"op": "transfer", **_seen(item), **bodies.transfer(to, quantity)})


def run_batch(batch: Batch, *, idempotency_key: str | None = None) -> Call[list[BatchResult]]:
    """Raises what the first operation that fails would raise alone; its `errors` point at it: `/operations/17`."""
    return call(_RUN, _results, body={"operations": batch.operations}, idempotency_key=idempotency_key)


def _seen(item: Item | int) -> dict[str, int]:
    return {"id": id_of(item)} | ({"version": item.version} if isinstance(item, Item) else {})


def _results(response: httpx2.Response) -> list[BatchResult]:
    return [
        BatchResult(each["op"], each["id"], each["version"], each.get("received_id"))
        for each in response.json()["results"]
    ]
