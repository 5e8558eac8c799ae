"""The limit: bare ASGI, the driver and a fast JSON encoder. No layers, no validation, nobody is signed in.

What it does it does right: a version is checked in the UPDATE, and a transfer is one transaction.
"""

from typing import Any, Protocol

import msgspec

from .entities import Item, NewItem, Owner, Patch, Transfer
from .environment import database_url, pool_size
from .limit_postgres import Postgres
from .limit_sqlite import Sqlite

_encode = msgspec.json.Encoder().encode
_decode_new = msgspec.json.Decoder(NewItem).decode
_decode_patch = msgspec.json.Decoder(Patch).decode
_decode_transfer = msgspec.json.Decoder(Transfer).decode

_JSON = (b"content-type", b"application/json")


class Store(Protocol):
    """Items as rows; None for one that is not there, or not as it was asked to be."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def get(self, item_id: int) -> Item | None: ...

    async def get_with_owner(self, item_id: int) -> tuple[Item, Owner] | None: ...

    async def page(self, limit: int) -> list[Item]:
        """The latest first."""

    async def create(self, new: NewItem, owner_id: int) -> Item: ...

    async def patch(self, item_id: int, version: int, quantity: int) -> Item | None: ...

    async def transfer(self, item_id: int, to: int, quantity: int) -> tuple[Item, Item] | None: ...


class App:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        status, body = await self._answer(scope, receive)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [_JSON, length]})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        await self._store.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Any, receive: Any) -> tuple[int, bytes]:
        parts = scope["path"].split("/")
        match scope["method"], len(parts):
            case "GET", 3:
                item = await self._store.get(int(parts[2]))
                return (200, _encode(item)) if item is not None else (404, b"null")
            case "GET", 4:
                return await self._with_owner(int(parts[2]))
            case "GET", _:
                items = await self._store.page(int(scope["query_string"].partition(b"limit=")[2]))
                return 200, _encode({"data": items, "next_cursor": str(items[-1].id)})
            case "PATCH", _:
                return await self._patch(int(parts[2]), scope["headers"], await _body(receive))
            case "POST", 4:
                return await self._transfer(int(parts[2]), await _body(receive))
            case _:
                return 201, _encode(await self._store.create(_decode_new(await _body(receive)), owner_id=1))

    async def _with_owner(self, item_id: int) -> tuple[int, bytes]:
        found = await self._store.get_with_owner(item_id)
        if found is None:
            return 404, b"null"
        item, owner = found
        # The owner is one member more: the closing brace of the item makes room for it.
        return 200, _encode(item)[:-1] + b',"owner":' + _encode(owner) + b"}"

    async def _patch(self, item_id: int, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, bytes]:
        tag = next(value for name, value in headers if name == b"if-match")
        version = int(tag.strip(b'"').rpartition(b"-")[2])
        item = await self._store.patch(item_id, version, _decode_patch(body).quantity)
        return (200, _encode(item)) if item is not None else (412, b"null")

    async def _transfer(self, item_id: int, body: bytes) -> tuple[int, bytes]:
        asked = _decode_transfer(body)
        both = await self._store.transfer(item_id, asked.to.item_id, asked.quantity)
        return (200, _encode({"item": both[0], "received": both[1]})) if both is not None else (409, b"null")


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            return bytes(body)


def app() -> App:
    """For `uvicorn --factory`."""
    url = database_url()
    return App(Postgres(url, pool_size()) if url.startswith("postgresql") else Sqlite(url, pool_size()))
