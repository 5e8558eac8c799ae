"""`/items`, and a user's items."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2

from . import bodies
from .bodies import Recipient, id_of
from .calls import Call, Operation, call, nothing
from .lists import Query, parameters
from .users import Who, path_of
from .values import UNSET, Item, Owner, Transfer, Unset, User, item_of, transfer_of

_CREATE = Operation("create_item", "POST", "/items", keyed=True)
_GET = Operation("get_item", "GET", "/items/{item_id}", harmless=True)
_LIST = Operation("list_items", "GET", "/items", harmless=True)
_LIST_OF_USER = Operation("list_items_of_user", "GET", "/users/{user_id}/items", harmless=True)
_UPDATE = Operation("update_item", "PATCH", "/items/{item_id}", keyed=True)
_DELETE = Operation("delete_item", "DELETE", "/items/{item_id}")
_TRANSFER = Operation("transfer_item", "POST", "/items/{item_id}/transfer", keyed=True)


def create_item(
    *,
    name: str,
    description: str | None | Unset = UNSET,
    quantity: int | Unset = UNSET,
    attributes: Mapping[str, Any] | Unset = UNSET,
    owner: User | Owner | int | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Item]:
    """Only admins may give another `owner`. Raises `InvalidRequest`, `Forbidden`."""
    body = bodies.new_item(name, description, quantity, attributes, owner)
    return call(_CREATE, _item, body=body, idempotency_key=idempotency_key)


def get_item(item: Item | int, *, with_owner: bool = False) -> Call[Item]:
    """Of an `Item` the server is asked whether it has changed; if not, the same object comes back.

    With `with_owner` it is sent in any case. Raises `NotFound`.
    """
    if with_owner:
        return call(_GET, _item, at=id_of(item), query={"expand": "owner"})
    if isinstance(item, int):
        return call(_GET, _item, at=item)
    seen = item
    return call(
        _GET,
        lambda response: seen if response.status_code == 304 else _item(response),
        at=item.id,
        headers={"If-None-Match": item.etag},
    )


def list_items(
    *,
    owner: Who | None = None,
    name: str | None = None,
    q: str | None = None,
    min_quantity: int | None = None,
    max_quantity: int | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    sort: str | None = None,
    with_owner: bool = False,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Query[Item]:
    """Those of one `owner`; else your own, or everybody's if you are an admin.

    `q` is part of a name or a description, in any case. `sort` such as `"-created_at,name"`; `"id"` for a walk that
    neither repeats nor misses anything while others write. `cursor` is a page's `next_cursor`, to go on from there.
    Raises `NotFound` (the owner), `InvalidRequest`, and `ValueError` for a naive time.
    """
    filters = parameters(
        name=name,
        q=q,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        created_after=created_after,
        created_before=created_before,
        sort=sort,
        expand="owner" if with_owner else None,
        limit=page_size,
    )
    if owner is None:
        return Query(_LIST, item_of, filters, cursor=cursor)
    return Query(_LIST_OF_USER, item_of, filters, at=path_of(owner), cursor=cursor)


def update_item(
    item: Item | int,
    *,
    name: str | Unset = UNSET,
    description: str | None | Unset = UNSET,
    quantity: int | Unset = UNSET,
    attributes: Mapping[str, Any] | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Item]:
    """What is not given stays; None clears the description; `attributes` merge, and None takes a member away.

    Of an `Item` this very version is changed, or `VersionMismatch` raised; of an id any. Raises `NotFound`,
    `InvalidRequest`.
    """
    return call(
        _UPDATE,
        _item,
        at=id_of(item),
        headers=_seen_version(item),
        body=bodies.changes(name, description, quantity, attributes),
        idempotency_key=idempotency_key,
    )


def delete_item(item: Item | int) -> Call[None]:
    """Of an `Item` this very version is deleted, or `VersionMismatch` raised; of an id any. Raises `NotFound`, and
    `OutcomeUnknown`: do it again, and then take `NotFound` for done."""
    return call(_DELETE, nothing, at=id_of(item), headers=_seen_version(item))


def transfer_item(
    item: Item | int, to: Recipient, *, quantity: int | None = None, idempotency_key: str | None = None
) -> Call[Transfer]:
    """Hand it, or so many of it, to a user (a `str` is the username), or add it to another item.

    Of an `Item` this very version is handed over, or `VersionMismatch` raised; of an id any. Raises `NotFound`,
    `InsufficientQuantity`, `QuantityOverflow`, `RateLimited`, and `InvalidRequest` for a recipient who is not there.
    """
    return call(
        _TRANSFER,
        lambda response: transfer_of(response.json()),
        at=id_of(item),
        headers=_seen_version(item),
        body=bodies.transfer(to, quantity),
        idempotency_key=idempotency_key,
    )


def _seen_version(item: Item | int) -> dict[str, str]:
    return {"If-Match": item.etag} if isinstance(item, Item) else {}


def _item(response: httpx2.Response) -> Item:
    return item_of(response.json())
