"""The work: what is asked of each server, alike of all of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

OPERATIONS = ("get", "list", "create", "patch", "transfer", "get with owner")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    if_match: str = ""
    body: str = ""

    @property
    def line(self) -> str:
        """As load.lua reads it."""
        return f"{self.method}\t{self.path}\t{self.if_match}\t{self.body}\n"

    def headers(self, token: str) -> dict[str, str]:
        given = {
            "If-Match": self.if_match,
            "Content-Type": "application/json" if self.body else "",
            "Authorization": f"Bearer {token}" if token else "",
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Work:
    """`owner` is how the way to an item with its owner ends at this server. `versions` is which item has which: a patch
    takes the next of them, each once."""

    items: int
    owner: str
    versions: Mapping[int, int]

    def requests(self, operation: str, number: int, random: Random) -> list[Request]:
        """To be sent one after the other, and then again from the first one: at most `number`, of a patch no more than
        there are versions."""
        if operation == "patch":
            return [_patch(item_id, version) for item_id, version in self.versions.items()][:number]
        match operation:
            case "get":
                return [Request("GET", f"/items/{self._any(random)}") for _ in range(number)]
            case "list":
                return [Request("GET", "/items?limit=100")] * number
            case "create":
                return [Request("POST", "/items", body=_new(random)) for _ in range(number)]
            case "transfer":
                # No item twice: two transfers of one item at a time would measure who waits for whom.
                ids = random.sample(range(1, self.items + 1), 2 * min(number, self.items // 2))
                return [_transfer(source, to) for source, to in zip(ids[::2], ids[1::2], strict=True)]
            case "get with owner":
                return [Request("GET", f"/items/{self._any(random)}{self.owner}") for _ in range(number)]
        raise ValueError(operation)

    def _any(self, random: Random) -> int:
        return random.randint(1, self.items)


def _transfer(source: int, to: int) -> Request:
    return Request("POST", f"/items/{source}/transfer", body=json.dumps({"to": {"item_id": to}, "quantity": 1}))


def _patch(item_id: int, version: int) -> Request:
    # Never the quantity that is there already: a change of nothing writes nothing.
    return Request("PATCH", f"/items/{item_id}", f'"{item_id}-{version}"', json.dumps({"quantity": 10_000 + version}))


def _new(random: Random) -> str:
    return json.dumps(
        {
            "name": f"Box {random.randint(1, 100_000)}",
            "description": "Corrugated, with a lid and two handles",
            "quantity": random.randint(1, 1_000),
            "attributes": {"colour": "brown", "weight": 1.25, "shelf": ["A", 7]},
        }
    )
