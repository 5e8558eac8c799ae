"""The JSON of items that requests carry, alone or in a batch."""

from collections.abc import Mapping
from typing import Any

from .calls import given
from .users import path_of
from .values import UNSET, Item, Owner, ToItem, ToUser, Unset, User

Recipient = str | User | Owner | Item | ToUser | ToItem


def new_item(
    name: str,
    description: str | None | Unset,
    quantity: int | Unset,
    attributes: Mapping[str, Any] | Unset,
    owner: User | Owner | int | Unset,
) -> dict[str, Any]:
    changed = changes(name, description, quantity, attributes)
    return changed | given(owner_id=owner if owner is UNSET else path_of(owner))


def changes(
    name: str | Unset,
    description: str | None | Unset,
    quantity: int | Unset,
    attributes: Mapping[str, Any] | Unset,
) -> dict[str, Any]:
    return given(
        name=name,
        description=description,
        quantity=quantity,
        attributes=attributes if attributes is UNSET else dict(attributes),
    )


def transfer(to: Recipient, quantity: int | None) -> dict[str, Any]:
    return {"to": _recipient(to)} | ({} if quantity is None else {"quantity": quantity})


def id_of(item: Item | int) -> int:
    return item if isinstance(item, int) else item.id


def _recipient(to: Recipient) -> str | dict[str, int]:
    if isinstance(to, str):
        return to
    return {"item_id" if isinstance(to, Item | ToItem) else "user_id": to.id}
