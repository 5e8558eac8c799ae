"""Which blocks the running task stands in: what nesting, promise 7 and a clear error instead of a dead-lock need.

A task started inside a block inherits its context and so stands in that block too, which is right: a caller that
awaits it there would wait for ever for a connection that it holds itself.
"""

from contextvars import ContextVar
from typing import Protocol

from ...domain.errors import AlreadyInTransaction


class OpenBlock(Protocol):
    """A block on `store`, which stays in the contexts of tasks that began inside it even when it has ended."""

    store: object
    is_open: bool


_blocks: ContextVar[tuple[OpenBlock, ...]] = ContextVar("steward_open_blocks", default=())


def enter(block: OpenBlock) -> None:
    _blocks.set((*[other for other in _blocks.get() if other.is_open], block))


def leave(block: OpenBlock) -> None:
    _blocks.set(tuple([other for other in _blocks.get() if other is not block]))


def innermost() -> OpenBlock | None:
    """The first of `here`."""
    blocks = _blocks.get()
    return blocks[-1] if blocks else None


def here() -> tuple[OpenBlock, ...]:
    """The blocks that the running task has entered, or was started in, the innermost first.

    Some may have ended meanwhile, left by another task.
    """
    return _blocks.get()[::-1]


def refuse_second(store: object) -> None:
    """Raise `AlreadyInTransaction` if the running task stands in a block on `store`."""
    for block in _blocks.get():
        if block.is_open and block.store is store:
            raise AlreadyInTransaction(
                "This task is inside an open block on the same database: pass its unit of work on, "
                "or leave the block first"
            )
