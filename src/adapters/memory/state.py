"""What a `MemoryDatabase` holds."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ...domain.errors import InvalidValue
from ...domain.items import MAX_QUANTITY, Item, ItemId
from ...domain.users import Role, User, UserId


@dataclass(slots=True)
class State:
    """Entities in it are never changed in place, so a copy of the dictionaries is a copy of all."""

    users: dict[UserId, User] = field(default_factory=dict)
    items: dict[ItemId, Item] = field(default_factory=dict)

    def copy(self) -> "State":
        return State(dict(self.users), dict(self.items))

    def put_user(self, user: User) -> None:
        """Keep a copy. Raises `InvalidValue` for what the CHECK constraints of the databases refuse."""
        _check("username", "ck_users_username_length", 3 <= len(user.username) <= 64)
        _check("email", "ck_users_email_length", 3 <= len(user.email) <= 254)
        _check("role", "ck_users_role_known", user.role in tuple(Role))
        self.users[user.id] = replace(user, created_at=_utc(user.created_at), updated_at=_utc(user.updated_at))

    def put_item(self, item: Item) -> None:
        """Keep a copy. Raises `InvalidValue` for what the CHECK constraints of the databases refuse."""
        _check("name", "ck_items_name_length", 1 <= len(item.name) <= 200)
        _check("description", "ck_items_description_length", len(item.description or "") <= 10_000)
        _check("quantity", "ck_items_quantity_range", 0 <= item.quantity <= MAX_QUANTITY)
        self.items[item.id] = replace(
            item,
            attributes=deepcopy(item.attributes),
            created_at=_utc(item.created_at),
            updated_at=_utc(item.updated_at),
        )


def copy_user(user: User) -> User:
    return replace(user)


def copy_item(item: Item) -> Item:
    return replace(item, attributes=deepcopy(item.attributes))


def _check(field: str, constraint: str, holds: bool) -> None:
    if not holds:
        raise InvalidValue(field, "check", f"The database refuses this value: {constraint}")


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("A datetime without a zone says nothing about when: give it one")
    return time.astimezone(UTC)
