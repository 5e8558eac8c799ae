"""What a `MemoryDatabase` holds."""

from copy import deepcopy
from dataclasses import dataclass, field, replace

from ...domain.items import Item, ItemId
from ...domain.users import User, UserId


@dataclass(slots=True)
class State:
    """Entities in it are never changed in place, so a copy of the dictionaries is a copy of all."""

    users: dict[UserId, User] = field(default_factory=dict)
    items: dict[ItemId, Item] = field(default_factory=dict)

    def copy(self) -> "State":
        return State(dict(self.users), dict(self.items))


def copy_user(user: User) -> User:
    return replace(user)


def copy_item(item: Item) -> Item:
    return replace(item, attributes=deepcopy(item.attributes))
