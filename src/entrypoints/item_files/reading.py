"""Items out of a file, without holding more than a few of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from typing import IO

from ...domain.errors import InvalidRows, RowFault
from ...domain.items import NewItem
from ...domain.users import UserId
from .formats import Format
from .rows import item_of

# Of one piece, which is one statement. Nothing else runs in the event loop while it is read: some 10 ms, or 50 where
# all of it is numbers.
PIECE_ROWS = 500
PIECE_BYTES = 64 * 1024
STEP_BYTES = 8 * 1024

MOST_FAULTS = 100  # that are told
LONGEST_NAME = 200  # characters of a member that a fault is told of: a line may be one name of a megabyte
FAULTS_TO_GIVE_UP_AT = 10_000  # of a file of which nothing is right, the rest is not looked at


class ItemFile:
    """Items for `owner_id` in a file that can be read from its beginning as often as need be."""

    def __init__(self, file: IO[bytes], format: Format, owner_id: UserId, *, longest_line: int) -> None:
        self._file = file
        self._format = format
        self._owner_id = owner_id
        self._longest_line = longest_line

    async def check(self) -> None:
        """Read all of it, and let others have their turn every few lines. Raises `InvalidRows` at the end if there
        were faults."""
        for _ in self.pieces(STEP_BYTES):
            await asyncio.sleep(0)

    def pieces(self, most_bytes: int = PIECE_BYTES) -> Iterator[list[NewItem]]:
        """All items, a piece at a time; from the first fault on the pieces are empty. Raises as `check`."""
        self._file.seek(0)
        items: list[NewItem] = []
        faults: list[RowFault] = []
        total = rows = size = 0
        for row in self._format.read(self._file, self._longest_line):
            rows += 1
            size += row.size
            if row.members is not None or row.faults:
                found = item_of(row, self._owner_id)
                if isinstance(found, NewItem):
                    items.append(found)
                else:
                    total += len(found)
                    faults += map(_told, found[: MOST_FAULTS - len(faults)])
            if total >= FAULTS_TO_GIVE_UP_AT:
                break
            if rows == PIECE_ROWS or size >= most_bytes:
                yield [] if faults else items
                items, rows, size = [], 0, 0
        if faults:
            raise InvalidRows(faults, total, gave_up=total >= FAULTS_TO_GIVE_UP_AT)
        if items:
            yield items


def _told(fault: RowFault) -> RowFault:
    """With its path as far as the names in it are no longer than `LONGEST_NAME`."""
    return replace(fault, path=tuple(takewhile(lambda part: len(str(part)) <= LONGEST_NAME, fault.path)))
