"""Bodies that are too large to be held: they are kept in a file until they have come to their end."""

import asyncio
import errno
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import IO

from starlette.requests import Request

from ....domain.errors import Overloaded, StorageFull
from ....domain.users import UserId
from .content_digest import Digests
from .json_body import check_announced_length, too_large, too_slow

# Each may take as much of the disk as its limit allows, and whoever sends slowly takes it for long.
MOST_AT_ONCE = 16
MOST_OF_ONE_USER = 4


@dataclass(frozen=True, slots=True)
class Spool:
    """A whole body. `sha256` is None unless the client has told a digest of it, which was right."""

    file: IO[bytes]
    sha256: bytes | None


@asynccontextmanager
async def spooled(request: Request, *, limit: int, timeout: float, idle_timeout: float) -> AsyncIterator[Spool]:
    """The body, of at most `limit` bytes, in a file that has no name and is gone with the block.

    Raises `HttpProblem`: if it is longer, if it has not come to its end within `timeout` seconds, if nothing comes for
    `idle_timeout`, and as `Digests` does; and `StorageFull`.
    """
    check_announced_length(request, limit)
    digests = Digests(request)
    # Around the file as well: to close one that is full is to try once more to write what is left.
    with _disk_may_be_full(), tempfile.TemporaryFile(prefix="steward-") as file:
        size = 0
        async for piece in _pieces(request, timeout, idle_timeout):
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            digests.add(piece)
            file.write(piece)
        file.flush()
        yield Spool(file, digests.verified())


async def _pieces(request: Request, timeout: float, idle_timeout: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    now = asyncio.get_running_loop().time
    end = now() + timeout
    while True:
        last = min(end, now() + idle_timeout)
        try:
            async with asyncio.timeout_at(last):
                piece = await anext(stream, None)
        except TimeoutError:
            raise too_slow(
                f"The body did not come within {timeout:g} seconds"
                if last == end
                else f"Nothing of the body came for {idle_timeout:g} seconds"
            ) from None
        if piece is None:
            return
        yield piece


@contextmanager
def _disk_may_be_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StorageFull("There is no room for the body") from error


class Places:
    """For the bodies that are kept in files at the same time, by one process."""

    def __init__(self) -> None:
        self._taken: Counter[UserId | None] = Counter()

    @property
    def taken(self) -> int:
        return self._taken.total()

    @contextmanager
    def taken_by(self, user_id: UserId | None) -> Iterator[None]:
        """Raises `Overloaded`."""
        if self.taken >= MOST_AT_ONCE or self._taken[user_id] >= MOST_OF_ONE_USER:
            raise Overloaded("So many imports are under way: try again when one of them has ended")
        self._taken[user_id] += 1
        try:
            yield
        finally:
            self._taken[user_id] -= 1
            self._taken += Counter()  # forgets who has none
