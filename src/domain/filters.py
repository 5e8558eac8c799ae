"""What a list may be narrowed to, and what it may be sorted by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .errors import InvalidValue
from .items import Item, NewItem, check_name, check_quantity
from .text import check_text, fold
from .users import Role, UserId, check_is_active, check_role

ITEM_SORT_FIELDS: Mapping[str, type] = {
    "id": int,
    "name": str,
    "quantity": int,
    "created_at": datetime,
    "updated_at": datetime,
}
USER_SORT_FIELDS: Mapping[str, type] = {"id": int, "username": str, "created_at": datetime}


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """An item has to meet all that is given. Raises `InvalidValue`.

    `name` is the whole name as it is written, `q` a part of name or description in any case (see `fold`), in which no
    character stands for others. `created_after` includes its bound, `created_before` does not.
    """

    owner_id: UserId | None = None
    name: str | None = None
    q: str | None = None
    min_quantity: int | None = None
    max_quantity: int | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            check_name(self.name)
        if self.q is not None:
            check_search(self.q)
        if self.min_quantity is not None:
            check_quantity(self.min_quantity, field="min_quantity")
        if self.max_quantity is not None:
            check_quantity(self.max_quantity, field="max_quantity")
        if self.created_after is not None:
            check_time("created_after", self.created_after)
        if self.created_before is not None:
            check_time("created_before", self.created_before)


@dataclass(frozen=True, slots=True)
class UserFilter:
    """A user has to meet all that is given; `q` is a part of username or e-mail address. Raises `InvalidValue`."""

    q: str | None = None
    role: Role | None = None
    is_active: bool | None = None

    def __post_init__(self) -> None:
        if self.q is not None:
            check_search(self.q)
        if self.role is not None:
            check_role(self.role)
        if self.is_active is not None:
            check_is_active(self.is_active)


EVERY_ITEM = ItemFilter()
EVERY_USER = UserFilter()


def search_text(item: Item | NewItem) -> str:
    """Where `q` is looked for, folded. A line break stands between the two, which no `q` can hold."""
    return f"{fold(item.name)}\n{fold(item.description or '')}"


def check_search(text: str) -> str:
    """Up to 200 characters on one line; none at all are a part of any text. Raises `InvalidValue`."""
    return check_text("q", text, least=0, most=200)


def check_time(field: str, time: datetime) -> datetime:
    """Return `time` in UTC. Raises `InvalidValue` for one without a zone, or outside the calendar."""
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise InvalidValue(field, "timezone_aware", "A time needs its offset from UTC, such as Z")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(field, "time_out_of_range", "In UTC this is outside the years 1 to 9999") from None
