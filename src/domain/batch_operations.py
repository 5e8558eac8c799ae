"""What a batch is made of: the changes of items, as values. Each means what the use case of its name does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .items import ItemId, Recipient
from .partial import UNSET, Unset
from .users import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateItem:
    name: str
    description: str | None = None
    quantity: int = 1
    attributes: Mapping[str, Any] | None = None
    owner_id: UserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateItem:
    item_id: ItemId
    name: str | Unset = UNSET
    description: str | None | Unset = UNSET
    quantity: int | Unset = UNSET
    attributes: Mapping[str, Any] | Unset = UNSET
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteItem:
    item_id: ItemId
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferItem:
    item_id: ItemId
    to: Recipient
    quantity: int | None = None
    version: int | None = None


Operation = CreateItem | UpdateItem | DeleteItem | TransferItem


@dataclass(frozen=True, slots=True)
class OperationResult:
    """The item that the operation was about, and its version afterwards: None if it has been deleted.

    `received_id` is the new item of the recipient, where a transfer split one.
    """

    item_id: ItemId
    version: int | None
    received_id: ItemId | None = None
