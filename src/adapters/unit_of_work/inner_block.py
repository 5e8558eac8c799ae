"""What `reading` and `savepoint` give."""

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, TypeVar

from .blocks import Block, BlockKind


class _Unit(Protocol):
    async def enter(self, kind: BlockKind, *, snapshot: bool = False) -> Block: ...

    async def leave(self, block: Block, error: BaseException | None) -> None: ...


Unit = TypeVar("Unit", bound=_Unit)


class InnerBlock(AbstractAsyncContextManager[Unit]):
    """A generator would do, at twice the price, and every request has two of these."""

    def __init__(self, unit: Unit, kind: BlockKind, *, snapshot: bool = False) -> None:
        self._unit = unit
        self._kind = kind
        self._snapshot = snapshot
        self._block: Block | None = None

    async def __aenter__(self) -> Unit:
        self._block = await self._unit.enter(self._kind, snapshot=self._snapshot)
        return self._unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._block is not None
        await self._unit.leave(self._block, error)
