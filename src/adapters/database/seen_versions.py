"""Which version of each entity a writing transaction has read first."""

from typing import TypeVar

from ...domain.errors import Conflict
from ...domain.items import Item
from ...domain.users import User

Entity = TypeVar("Entity", User, Item)
Versions = dict[tuple[type, int], int]


class SeenVersions:
    """No lost update, also where use cases are composed in one transaction.

    Under READ COMMITTED two reads of one transaction may differ: `get_item`, another's commit, then an `update_item`
    with what was made of the first read. `update_item` reads the row again, and the check of its version passes. So
    a transaction that meets an entity in another version than before, not by its own doing, has lost a race.
    """

    def __init__(self) -> None:
        self._versions: Versions = {}
        self._savepoints: list[Versions] = []

    def read(self, entity: Entity) -> Entity:
        """Return `entity`. Raises `Conflict` if this transaction has seen it in another version."""
        if self._versions.setdefault((type(entity), entity.id), entity.version) != entity.version:
            raise Conflict
        return entity

    def wrote(self, entity: Entity) -> None:
        self._versions[type(entity), entity.id] = entity.version

    def forget_items(self) -> None:
        """After a statement of this transaction that changes many at once."""
        self._versions = {key: version for key, version in self._versions.items() if key[0] is not Item}

    def savepoint(self) -> None:
        self._savepoints.append(dict(self._versions))

    def release(self) -> None:
        self._savepoints.pop()

    def roll_back(self) -> None:
        self._versions = self._savepoints.pop()

    def clear(self) -> None:
        self._versions.clear()
        self._savepoints.clear()
