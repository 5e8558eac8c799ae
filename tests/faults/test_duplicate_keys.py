"""Many clients send the same Idempotency-Key at once, and again when an answer got lost: it has one effect."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.support.losing_proxy import LosingProxy, Loss

from .crowd import Crowd, NeverDone, crowd, until_done
from .report import Outcome

_LOSSES = (Loss.REQUEST, Loss.ANSWER, Loss.HEAD)
_QUANTITY = 1000  # to be transferred, more than is
_MOST_LOST = 20  # attempts of one client: no proxy loses so many


async def check(backend: str, *, clients: int, keys: int) -> Outcome:
    """Each key is sent by all clients at once, on two server processes; every other client by way of a proxy that
    loses requests and answers."""
    outcome = Outcome("duplicate keys", backend, {"keys": 0, "answers": 0, "lost": 0})
    async with crowd(backend, servers=2) as those:
        proxy = LosingProxy(*_address(those.servers[1].url))
        box, lid = those.create(quantity=_QUANTITY)["id"], those.create(quantity=0)["id"]
        async with proxy.open(), AsyncExitStack() as stack:
            urls = [proxy.url if each % 2 else None for each in range(clients)]
            senders = [await stack.enter_async_context(those.client(0, url)) for url in urls]
            for number in range(keys):
                proxy.losses[:] = random.Random(number).choices(_LOSSES, k=3)
                path, body, made = _request(number, box, lid)
                try:
                    answers = await asyncio.gather(*(_send(each, path, body, number, outcome) for each in senders))
                except NeverDone as error:
                    outcome.violations.append(f"never done: {error}")
                    break
                _compare(answers, outcome)
                await _count(those, number, made, lid, outcome)
        [(total,)] = await those.sql(f"SELECT sum(quantity) FROM items WHERE id IN ({box}, {lid})")
        if total != _QUANTITY:
            outcome.violations.append(f"{_QUANTITY} were there to be transferred, and {total} are")
    outcome.require("lost")
    return outcome


def _request(number: int, box: int, lid: int) -> tuple[str, dict[str, Any], tuple[int, int]]:
    """A path, a body, and how many items and transfers come of it."""
    item = {"name": f"key {number}"}
    transfer = {"to": {"item_id": lid}, "quantity": 1}
    match number % 3:
        case 0:
            return "/items", item, (1, 0)
        case 1:
            return f"/items/{box}/transfer", transfer, (0, 1)
        case _:
            creation = {"op": "create", "item": item}
            operations = [creation, {"op": "transfer", "id": box, **transfer}, creation]
            return "/items/batch", {"operations": operations}, (2, 1)


async def _send(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], key: int, outcome: Outcome
) -> httpx2.Response:
    headers = {"Idempotency-Key": f"key-{key}"}
    for _ in range(_MOST_LOST):
        try:
            return await until_done(client, "POST", path, json=body, headers=headers)
        except httpx2.TransportError:
            outcome.count("lost")
    raise NeverDone("every answer was lost")


def _compare(answers: list[httpx2.Response], outcome: Outcome) -> None:
    outcome.count("keys")
    outcome.count("answers", len(answers))
    if (different := len({(answer.status_code, answer.content) for answer in answers})) != 1:
        outcome.violations.append(f"one key had {different} answers")
    outcome.violations += [f"a key was answered {answer.text}" for answer in answers if answer.is_error]
    if sum("Idempotent-Replayed" not in answer.headers for answer in answers) > 1:
        outcome.violations.append("more than one client was told that it was the first")


async def _count(those: Crowd, key: int, made: tuple[int, int], lid: int, outcome: Outcome) -> None:
    """`made` is how many items and transfers come of the key. Those before it have moved what they had to."""
    moved_before = sum(_request(before, 0, 0)[2][1] for before in range(key))
    [(items,)] = await those.sql(f"SELECT count(*) FROM items WHERE name = 'key {key}'")
    [(moved,)] = await those.sql(f"SELECT quantity FROM items WHERE id = {lid}")
    if (items, moved - moved_before) != made:
        outcome.violations.append(f"key {key} made {items} items and moved {moved - moved_before}, instead of {made}")


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


async def test_a_key_that_many_send_at_once_and_again_has_one_effect_and_one_answer(server_backend: str) -> None:
    outcome = await check(server_backend, clients=6, keys=6)
    assert outcome.violations == []
