"""Items and their rules."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NewType

from .attributes import Attributes, as_json, check_attributes, patch_attributes
from .errors import InsufficientQuantity, InvalidValue, QuantityOverflow
from .partial import UNSET, Unset
from .text import check_text
from .users import Owner, UserId

ItemId = NewType("ItemId", int)

MAX_QUANTITY = 2**31 - 1


@dataclass(slots=True)
class Item:
    """`version` counts the changes from 1; the repository checks and raises it when it saves."""

    id: ItemId
    owner_id: UserId
    name: str
    description: str | None
    quantity: int
    attributes: Attributes
    created_at: datetime
    updated_at: datetime
    version: int

    def change(
        self,
        *,
        at: datetime,
        name: str | Unset = UNSET,
        description: str | None | Unset = UNSET,
        quantity: int | Unset = UNSET,
        attributes: Mapping[str, Any] | Unset = UNSET,
    ) -> bool:
        """Apply what is given, all or nothing, and say whether anything is different now. Raises `InvalidValue`.

        `attributes` is an RFC 7396 merge patch of those that the item has.
        """
        new_name = self.name if name is UNSET else check_name(name)
        new_description = self.description if description is UNSET else check_description(description)
        new_quantity = self.quantity if quantity is UNSET else check_quantity(quantity)
        new_attributes = self.attributes if attributes is UNSET else patch_attributes(self.attributes, attributes)
        if (new_name, new_description, new_quantity) == (self.name, self.description, self.quantity) and (
            as_json(new_attributes) == as_json(self.attributes)
        ):
            return False
        self.name, self.description, self.quantity = new_name, new_description, new_quantity
        self.attributes = new_attributes
        self.updated_at = at
        return True

    def hand_to(self, owner_id: UserId, *, at: datetime) -> None:
        """Give all of it to another owner."""
        self.owner_id = owner_id
        self.updated_at = at

    def take(self, quantity: int, *, at: datetime) -> None:
        """Take `quantity` (1 or more) away. Raises `InsufficientQuantity`."""
        if quantity > self.quantity:
            raise InsufficientQuantity(wanted=quantity, available=self.quantity)
        self.quantity -= quantity
        self.updated_at = at

    def put(self, quantity: int, *, at: datetime) -> None:
        """Add `quantity` (1 or more). Raises `QuantityOverflow`."""
        if self.quantity + quantity > MAX_QUANTITY:
            raise QuantityOverflow(MAX_QUANTITY)
        self.quantity += quantity
        self.updated_at = at


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that has passed the rules and has no id yet. Made by `of`."""

    owner_id: UserId
    name: str
    description: str | None
    quantity: int
    attributes: Attributes

    @classmethod
    def of(
        cls,
        *,
        owner_id: UserId,
        name: str,
        description: str | None = None,
        quantity: int = 1,
        attributes: Mapping[str, Any] | None = None,
    ) -> "NewItem":
        """Raises `InvalidValue`."""
        return cls(
            owner_id,
            check_name(name),
            check_description(description),
            check_quantity(quantity),
            check_attributes({} if attributes is None else attributes),
        )

    @classmethod
    def split_from(cls, item: Item, *, owner_id: UserId, quantity: int) -> "NewItem":
        """The part that another owner gets: the same but for the quantity."""
        return cls(owner_id, item.name, item.description, quantity, deepcopy(item.attributes))


@dataclass(frozen=True, slots=True)
class OwnedItem:
    """An item together with what others may see of its owner."""

    item: Item
    owner: Owner


@dataclass(frozen=True, slots=True)
class ToItem:
    """The recipient of a transfer that adds to an item which is there already."""

    item_id: ItemId


# To whom an item is transferred: a username, a user's id, or another item.
Recipient = str | UserId | ToItem


@dataclass(frozen=True, slots=True)
class Transfer:
    """`item` is the giver's item afterwards, None if it went over whole; `received` is the recipient's."""

    item: Item | None
    received: Item


def check_name(name: str) -> str:
    """1 to 200 characters on one line. Raises `InvalidValue`."""
    return check_text("name", name, least=1, most=200)


def check_description(description: str | None) -> str | None:
    """Up to 10,000 characters, line breaks included, or None. Raises `InvalidValue`."""
    if description is None:
        return None
    return check_text("description", description, least=0, most=10_000, multiline=True)


def check_quantity(quantity: int, *, least: int = 0, field: str = "quantity") -> int:
    """`least` to 2^31-1. Raises `InvalidValue`."""
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        raise InvalidValue(field, "int_type", "The quantity is an integer")
    if quantity < least:
        raise InvalidValue(field, "greater_than_equal", f"The quantity is at least {least}")
    if quantity > MAX_QUANTITY:
        raise InvalidValue(field, "less_than_equal", f"The quantity is at most {MAX_QUANTITY}")
    return quantity
