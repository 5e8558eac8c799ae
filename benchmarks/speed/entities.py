"""What the limit reads and writes. Declared once, msgspec encodes and decodes it without asking again."""

from datetime import datetime
from typing import Any

import msgspec

COLUMNS = "id, owner_id, name, description, quantity, attributes, created_at, updated_at, version"


class Item(msgspec.Struct, gc=False):
    """`attributes` is JSON already: it goes out as it was stored."""

    id: int
    owner_id: int
    name: str
    description: str | None
    quantity: int
    attributes: msgspec.Raw
    created_at: datetime | str
    updated_at: datetime | str
    version: int


class Owner(msgspec.Struct, gc=False):
    id: int
    username: str


class NewItem(msgspec.Struct):
    name: str
    description: str | None = None
    quantity: int = 1
    attributes: dict[str, Any] = {}

    @property
    def search_text(self) -> str:
        return f"{self.name} {self.description or ''}".casefold()


class Patch(msgspec.Struct):
    quantity: int


class Recipient(msgspec.Struct):
    item_id: int


class Transfer(msgspec.Struct):
    to: Recipient
    quantity: int
