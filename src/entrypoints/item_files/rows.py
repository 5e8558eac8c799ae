"""What each format makes of its lines, and what the domain makes of that."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...domain.attributes import check_attributes
from ...domain.errors import InvalidValue, RowFault
from ...domain.items import NewItem, check_description, check_name, check_quantity
from ...domain.users import UserId

# What an exported item has beyond these is accepted and ignored: an imported item is new.
_CHECKS: Mapping[str, Callable[[Any], object]] = {
    "name": check_name,
    "description": check_description,
    "quantity": check_quantity,
    "attributes": check_attributes,
}
IGNORED = frozenset({"id", "owner_id", "created_at", "updated_at", "version"})
KNOWN = IGNORED | _CHECKS.keys()


@dataclass(slots=True)
class Row:
    """`line` is where it begins, from 1; `size` is in bytes; `members` is None for a row that is blank or cannot be
    read. `faults` are those of the format."""

    line: int
    size: int
    members: dict[str, Any] | None = None
    faults: tuple[RowFault, ...] = ()

    @classmethod
    def unreadable(cls, line: int, size: int, rule: str, detail: str) -> "Row":
        return cls(line, size, faults=(RowFault(line, (), rule, detail),))


def item_of(row: Row, owner_id: UserId) -> NewItem | list[RowFault]:
    """Every fault of the row, if it has any. A row that is an item has `members`."""
    members = row.members or {}
    given = {name: members[name] for name in _CHECKS if name in members}
    if not row.faults and "name" in given and members.keys() <= KNOWN and given.get("attributes", {}) is not None:
        try:
            return NewItem.of(owner_id=owner_id, **given)
        except InvalidValue:  # the first fault; there may be more
            pass
    return [*row.faults, *(() if row.members is None else _faults(row.line, members, row.faults))]


def _faults(line: int, members: dict[str, Any], found: tuple[RowFault, ...]) -> Iterator[RowFault]:
    known_to_be_wrong = {fault.path[0] for fault in found if fault.path}
    for name in members.keys() - KNOWN:
        yield RowFault(line, (name,), "unknown_member", "There is no such member")
    if "name" not in members and "name" not in known_to_be_wrong:
        yield RowFault(line, ("name",), "missing", "This is required")
    for name, check in _CHECKS.items():
        if name in members:
            try:
                check(members[name])
            except InvalidValue as error:
                yield RowFault(line, error.path, error.rule, str(error))
