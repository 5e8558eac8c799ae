"""Lists are read in pages, each of which begins after the last row of the one before (keyset pagination)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from .errors import InvalidValue
from .text import check_characters

Entity = TypeVar("Entity")

# Where a row stands in a sorted list: its values of the fields that the list is sorted by, the id last.
Position = tuple[int | str | datetime, ...]

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class SortKey:
    """`kind` is the type of the field's values."""

    field: str
    kind: type
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.field}" if self.descending else self.field


@dataclass(frozen=True, slots=True)
class Sort:
    """The fields that a list is sorted by. The last one is always the id, so that no two rows stand at one position."""

    keys: tuple[SortKey, ...]

    @classmethod
    def of(cls, text: str, *, fields: Mapping[str, type]) -> "Sort":
        """`text` names fields, the first one first, separated by commas, and `-` before one turns it round.

        `fields` are those that may be named, and the types of their values. Where the id is not named, it breaks ties
        in the direction of the last field; fields after it mean nothing. Raises `InvalidValue`.
        """
        if not isinstance(text, str):
            raise InvalidValue("sort", "string_type", "This must be text")
        keys: dict[str, SortKey] = {}
        for part in text.split(","):
            field = part.removeprefix("-")
            if field not in fields:
                raise InvalidValue(
                    "sort", "unknown_sort_field", f"Separated by commas, with '-' for descending: {', '.join(fields)}"
                )
            if field in keys:
                raise InvalidValue("sort", "repeated_sort_field", f"Name {field} once")
            keys[field] = SortKey(field, fields[field], descending=part.startswith("-"))
        if "id" not in keys:
            keys["id"] = SortKey("id", int, descending=list(keys.values())[-1].descending)
        return cls(tuple(keys.values())[: list(keys).index("id") + 1])

    def __str__(self) -> str:
        return ",".join(map(str, self.keys))

    def position_of(self, entity: object) -> Position:
        return tuple(getattr(entity, key.field) for key in self.keys)

    def check_position(self, position: Position) -> Position:
        """Raises `InvalidValue` for what can be no row's position, which a database might choke on."""
        if len(position) != len(self.keys) or not all(
            isinstance(value, key.kind) and not isinstance(value, bool) and _can_be_compared(value)
            for value, key in zip(position, self.keys, strict=True)
        ):
            raise InvalidValue("after", "position", f"This is not a position in a list sorted by {self}")
        return position


_ID = {"id": int}
NEWEST_FIRST = Sort.of("-id", fields=_ID)
OLDEST_FIRST = Sort.of("id", fields=_ID)


@dataclass(frozen=True, slots=True)
class Page(Generic[Entity]):
    """`next` is the position after which the next page begins, None at the end of the list; `count` is how many rows
    all pages have together, None unless it was asked for."""

    rows: list[Entity]
    next: Position | None = None
    count: int | None = None

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def check_limit(limit: int) -> int:
    """How many a page may hold: 1 or more. Raises `InvalidValue`."""
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise InvalidValue("limit", "int_type", "The limit is an integer")
    if limit < 1:
        raise InvalidValue("limit", "greater_than_equal", "The limit is at least 1")
    return limit


def _can_be_compared(value: int | str | datetime) -> bool:
    if isinstance(value, datetime):
        return value.tzinfo is not None
    if isinstance(value, int):
        return value in _INT64
    try:
        check_characters("after", value)
    except InvalidValue:
        return False
    return True
