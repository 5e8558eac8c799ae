"""Many clients transfer between the same few items: the sum of all quantities stays, and none is ever negative."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from .crowd import Crowd, NeverDone, code_of, crowd, until_done
from .report import Outcome

_ITEMS, _QUANTITY = 6, 100
_USERS = ("admin", "ada", "bob")
# By their last state: more was asked for than there is, the recipient is the owner or the item itself, If-Match.
_REFUSALS = {"insufficient_quantity", "unknown_recipient", "same_item", "version_mismatch"}
_SUMS = "SELECT sum(quantity), min(quantity) FROM items"


async def check(backend: str, *, clients: int, turns: int) -> Outcome:
    """Each client takes so many turns: transfers to users and to items, in parts and whole, with and without
    Idempotency-Key and If-Match, alone and in batches, on two server processes."""
    outcome = Outcome("transfers", backend, {"done": 0, "refused": 0, "snapshots": 0})
    async with crowd(backend, servers=2) as those:
        items = [those.create(quantity=_QUANTITY)["id"] for _ in range(_ITEMS)]
        async with _watched(those, outcome), asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(_transfer(those, number, turns, items, outcome))
        await _look(those, outcome)
        outcome.figures["items"] = len(items)
    outcome.require("done")
    return outcome


@asynccontextmanager
async def _watched(those: Crowd, outcome: Outcome) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            await _look(those, outcome)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    try:
        yield
        assert not watching.done(), watching.result()
    finally:
        watching.cancel()


async def _look(those: Crowd, outcome: Outcome) -> None:
    [(total, least)] = await those.sql(_SUMS)
    outcome.count("snapshots")
    told = f"the quantities sum up to {total}, the least is {least}"
    if (total != _ITEMS * _QUANTITY or least < 0) and told not in outcome.violations:
        outcome.violations.append(told)


async def _transfer(those: Crowd, number: int, turns: int, items: list[int], outcome: Outcome) -> None:
    dice = random.Random(number)
    async with those.client(number) as client, those.client(number + 1) as other:
        for turn in range(turns):
            path, body = _draw(dice, items)
            headers = await _condition(client, path) if dice.random() < 0.3 else {}
            if keyed := dice.random() < 0.3:
                headers["Idempotency-Key"] = f"transfer-{number}-{turn}"
            try:
                answer = await until_done(client, "POST", path, json=body, headers=headers)
                if keyed and not answer.is_error:
                    again = await until_done(other, "POST", path, json=body, headers=headers)
                    if again.content != answer.content:
                        outcome.violations.append(f"{headers}: {answer.text}, and then {again.text}")
            except NeverDone as error:
                outcome.violations.append(f"never done: {error}")
                return
            outcome.count("refused" if answer.is_error else "done")
            if answer.is_error and code_of(answer) not in _REFUSALS:
                outcome.violations.append(f"{path} {body}: {answer.text}")
            items += _new_items(answer)


def _draw(dice: random.Random, items: list[int]) -> tuple[str, dict[str, Any]]:
    if dice.random() < 0.25:
        some = [_draw_one(dice, items) for _ in range(dice.randrange(2, 6))]
        return "/items/batch", {"operations": [{"op": "transfer", "id": item, **body} for item, body in some]}
    item, body = _draw_one(dice, items)
    return f"/items/{item}/transfer", body


def _draw_one(dice: random.Random, items: list[int]) -> tuple[int, dict[str, Any]]:
    """Mostly between the first ones, so that clients get in each other's way."""
    few = items[:_ITEMS] if dice.random() < 0.7 else items
    to = {"item_id": dice.choice(few)} if dice.random() < 0.7 else dice.choice(_USERS)
    return dice.choice(few), {"to": to, **({"quantity": dice.randrange(1, 20)} if dice.random() < 0.9 else {})}


async def _condition(client: httpx2.AsyncClient, path: str) -> dict[str, str]:
    if path == "/items/batch":
        return {}
    return {"If-Match": (await client.get(path.removesuffix("/transfer"))).headers["ETag"]}


def _new_items(answer: httpx2.Response) -> list[int]:
    if answer.is_error:
        return []
    done = answer.json()
    if "results" in done:
        return [result["received_id"] for result in done["results"] if "received_id" in result]
    return [] if done["item"] is None or done["received"]["version"] != 1 else [done["received"]["id"]]


async def test_transfers_between_items_conserve_the_sum_at_every_moment(server_backend: str) -> None:
    outcome = await check(server_backend, clients=6, turns=15)
    assert outcome.violations == []
