"""Clients that leave before they have had their answer, by sockets of their own."""

import asyncio
import json
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.support.steward_server import ADMIN_PASSWORD

from .crowd import PATIENCE, Crowd

IMPORTED = 20  # items of one import
QUANTITY = 10  # of a leaver's own item, of which a transfer takes one
CHANGED = 7  # what a change makes of it
_SOON = 0.05  # seconds
_CLOSE_BY_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds


class Kind(Enum):
    CREATE = auto()
    BATCH = auto()  # makes two items and transfers one
    IMPORT = auto()
    TRANSFER = auto()
    CHANGE = auto()
    LIST = auto()
    EXPORT = auto()
    SIGN_IN = auto()


MAKES = {Kind.CREATE: 1, Kind.BATCH: 2, Kind.IMPORT: IMPORTED}


class When(Enum):
    """With part of the head sent, or part of the body, all of it, a moment after, or when the answer has begun."""

    IN_HEAD = auto()
    IN_BODY = auto()
    SENT = auto()
    SOON = auto()
    IN_ANSWER = auto()


@dataclass(slots=True)
class Leaver:
    """`own` is an item for it alone, and what it makes bears its `name`. `status` is what it was answered, if it has
    seen that; `was_sent` says whether all of its request was."""

    number: int
    own: int
    kind: Kind
    when: When
    resets: bool
    dice: random.Random
    was_sent: bool = False
    status: int | None = None

    @property
    def name(self) -> str:
        return f"leaver {self.number}"

    @property
    def headers(self) -> dict[str, str]:
        """Every other one has a key by which it could ask again."""
        takes_key = self.kind not in (Kind.IMPORT, Kind.SIGN_IN)  # imports only with a digest
        return {"Idempotency-Key": f"leaver-{self.number}"} if takes_key and self.number % 2 else {}

    def request(self, lid: int) -> tuple[str, str, str, bytes]:
        """Method, path, media type and body. What is transferred goes into the item `lid`."""
        item = {"name": self.name}
        transfer = {"to": {"item_id": lid}, "quantity": 1}
        match self.kind:
            case Kind.CREATE:
                return "POST", "/items", _JSON, _json(item)
            case Kind.BATCH:
                creation = {"op": "create", "item": item}
                operations = [creation, {"op": "transfer", "id": self.own, **transfer}, creation]
                return "POST", "/items/batch", _JSON, _json({"operations": operations})
            case Kind.IMPORT:
                return "POST", "/items/import", "application/x-ndjson", (_json(item) + b"\n") * IMPORTED
            case Kind.TRANSFER:
                return "POST", f"/items/{self.own}/transfer", _JSON, _json(transfer)
            case Kind.CHANGE:
                return "PATCH", f"/items/{self.own}", _JSON, _json({"quantity": CHANGED})
            case Kind.LIST:
                return "GET", "/items?limit=200&sort=-quantity,name&count=true", "", b""
            case Kind.EXPORT:
                return "GET", "/items/export", "", b""
            case Kind.SIGN_IN:
                form = {"grant_type": "password", "username": "bob", "password": ADMIN_PASSWORD}
                return "POST", "/auth/token", "application/x-www-form-urlencoded", urlencode(form).encode()


_JSON = "application/json"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def draw(number: int, own: int) -> Leaver:
    """Every kind with every way to leave, in turn."""
    dice = random.Random(number)
    kind = list(Kind)[number % len(Kind)]
    when = list(When)[number // len(Kind) % len(When)]
    return Leaver(number, own, kind, when, dice.random() < 0.5, dice)


async def leave(those: Crowd, leaver: Leaver, lid: int) -> None:
    address = urlsplit(those.servers[0].url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                await _ask(reader, writer, _bytes_of(those, leaver, lid), leaver)
    finally:
        if leaver.resets:
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_BY_RESET)
            writer.transport.abort()
        else:
            writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: tuple[bytes, bytes], leaver: Leaver
) -> None:
    head, body = request
    if leaver.when is When.IN_HEAD:
        writer.write(head[: leaver.dice.randrange(1, len(head))])
    elif leaver.when is When.IN_BODY and body:
        writer.write(head + body[: leaver.dice.randrange(len(body))])
    else:
        leaver.was_sent = True
        writer.write(head + body)
    await writer.drain()
    if leaver.when is When.SOON:
        await asyncio.sleep(leaver.dice.uniform(0, _SOON))
    if leaver.when is When.IN_ANSWER:
        answer = await reader.read(1024)
        leaver.status = int(answer.split()[1]) if answer else None


def _bytes_of(those: Crowd, leaver: Leaver, lid: int) -> tuple[bytes, bytes]:
    """Head and body."""
    method, path, media_type, body = leaver.request(lid)
    headers = {"Host": urlsplit(those.servers[0].url).netloc, **those.credentials, **leaver.headers}
    if media_type:
        headers |= {"Content-Type": media_type, "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode(), body
