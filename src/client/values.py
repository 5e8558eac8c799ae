"""Users, items and what else goes over the wire, as frozen dataclasses. Times are aware, in UTC.

`…_of` read them from JSON. Members that this version does not know are passed over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeVar

Row = TypeVar("Row")
Role = Literal["member", "admin"]


class Unset(Enum):
    """Its one member says that an argument was not given; None says that the field is to be cleared."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class User:
    """`version` counts the changes."""

    id: int
    username: str
    email: str
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def etag(self) -> str:
        return etag(self)


@dataclass(frozen=True, slots=True)
class Owner:
    """What others may see of a user."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class Item:
    """`version` counts the changes; `owner` is there where it was asked for."""

    id: int
    owner_id: int
    name: str
    description: str | None
    quantity: int
    attributes: Mapping[str, Any] = field(hash=False)
    created_at: datetime
    updated_at: datetime
    version: int
    owner: Owner | None = None

    @property
    def etag(self) -> str:
        return etag(self)


def etag(thing: User | Item) -> str:
    """As the server makes it, so that what came in a list has one, too."""
    return f'"{thing.id}-{thing.version}"'


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be imported."""

    name: str
    description: str | None = None
    quantity: int = 1
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ToUser:
    """The recipient of a transfer, by id."""

    id: int


@dataclass(frozen=True, slots=True)
class ToItem:
    """The item that a transfer is added to, by id."""

    id: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """`item` is the giver's item afterwards, None if it went over whole; `received` is the recipient's."""

    item: Item | None
    received: Item


@dataclass(frozen=True, slots=True)
class BatchResult:
    """`version` is None after a delete; `received_id` is the recipient's new item if a transfer split one."""

    op: str
    id: int
    version: int | None
    received_id: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """`refreshed_at` is when its tokens were last exchanged; `current` is the one that asks."""

    id: int
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A part of a list. `count`, of the whole list, is there where it was asked for."""

    rows: tuple[Row, ...]
    next_cursor: str | None
    count: int | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def user_of(found: Mapping[str, Any]) -> User:
    return User(
        found["id"],
        found["username"],
        found["email"],
        found["role"],
        found["is_active"],
        _time_of(found["created_at"]),
        _time_of(found["updated_at"]),
        found["version"],
    )


def item_of(found: Mapping[str, Any]) -> Item:
    owner = found.get("owner")
    return Item(
        found["id"],
        found["owner_id"],
        found["name"],
        found["description"],
        found["quantity"],
        found["attributes"],
        _time_of(found["created_at"]),
        _time_of(found["updated_at"]),
        found["version"],
        None if owner is None else Owner(owner["id"], owner["username"]),
    )


def transfer_of(found: Mapping[str, Any]) -> Transfer:
    return Transfer(None if found["item"] is None else item_of(found["item"]), item_of(found["received"]))


def session_of(found: Mapping[str, Any]) -> Session:
    return Session(
        found["id"],
        _time_of(found["created_at"]),
        _time_of(found["refreshed_at"]),
        _time_of(found["expires_at"]),
        found["user_agent"],
        found["address"],
        found["current"],
    )


def time_text(time: datetime) -> str:
    """RFC 3339. Raises `ValueError` for a naive time."""
    if time.tzinfo is None:
        raise ValueError(f"Of which zone is {time}? Give an aware datetime")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)
