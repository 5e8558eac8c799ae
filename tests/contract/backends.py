"""The unit of work in several backends, driven alike and compared after each step: blocks, and a reader beside."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.errors import Conflict, ItemNotFound
from steward.testing import Clock

from .conftest import empty
from .driven_backends import DrivenBackend, Raised

DEEPEST = 4
KINDS = st.sampled_from(["writing", "writing", "savepoint", "reading", "snapshot"])
ERRORS: list[Callable[[], BaseException]] = [ValueError, Conflict, lambda: ItemNotFound(1), asyncio.CancelledError]

Step = Callable[[DrivenBackend], Awaitable[Any]]
Stores = list[MemoryDatabase | Database]

# What is done outside a block, or to a transaction that is lost, has tests of its own; here it would take the places of
# better steps.
inside = precondition(lambda machine: machine.depth > 0 and machine.refusals < 2)
to_leave = precondition(lambda machine: machine.depth > 0)


class Backends(RuleBasedStateMachine):
    """One unit of work in each backend, driven alike; beside it a reader in a task of its own."""

    def __init__(self, make_stores: Callable[[Clock, Path], Stores]) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.depth = 0
        self.refusals = 0
        self.is_read = False
        self.driven_backends = self.runner.run(self._open(make_stores))

    async def _open(self, make_stores: Callable[[Clock, Path], Stores]) -> list[DrivenBackend]:
        stores = make_stores(self.clock, Path(self.directory.name))
        for store in stores:
            if isinstance(store, Database) and store.dialect == "postgresql":
                await empty(store)
        return [DrivenBackend(store) for store in stores]

    def teardown(self) -> None:
        try:
            self.runner.run(self._close())
        finally:
            self.runner.close()
            self.directory.cleanup()

    async def _close(self) -> None:
        for driven in self.driven_backends:
            if driven.reading is not None:
                await driven.reader_task.do(lambda driven=driven: driven.reading.__aexit__(None, None, None))  # type: ignore[misc]
            while driven.blocks:
                await driven.task.do(driven.leave)
            await driven.task.end()
            await driven.reader_task.end()
            in_use = driven.in_use()
            if isinstance(driven.store, Database):
                await driven.store.aclose()
            assert in_use == 0

    # All backends alike

    def all_do(self, step: Step, *, creates: bool = False, beside: bool = False) -> Any:
        async def everywhere() -> list[Any]:
            return await asyncio.gather(
                *(
                    (driven.reader_task if beside else driven.task).do(lambda driven=driven: step(driven))  # type: ignore[misc]
                    for driven in self.driven_backends
                )
            )

        answers = self.runner.run(everywhere())
        refused = isinstance(answers[0], Raised) and answers[0].kind == "TransactionAborted"
        self.refusals = self.refusals + 1 if refused else 0
        for driven, answer in zip(self.driven_backends, answers, strict=True):
            driven.keep(answer, created=creates)
        self._agree([driven.seen(answer) for driven, answer in zip(self.driven_backends, answers, strict=True)])
        return answers[0]

    def _agree(self, answers: list[object]) -> None:
        for driven, answer in zip(self.driven_backends, answers, strict=True):
            assert answer == answers[0], f"{type(driven.store).__name__} answers otherwise than the first backend"

    @invariant()
    def all_hold_the_same(self) -> None:
        async def look() -> list[object]:
            return await asyncio.gather(*(asyncio.create_task(driven.contents()) for driven in self.driven_backends))

        self._agree(self.runner.run(look()))
        self._agree([driven.uow.is_open for driven in self.driven_backends])
        assert self.driven_backends[0].uow.is_open == (self.depth > 0)
        if self.depth:
            self._agree([driven.uow.now for driven in self.driven_backends])
        else:
            assert all(driven.in_use() <= int(self.is_read) for driven in self.driven_backends)

    # Blocks

    @precondition(lambda self: self.depth < DEEPEST and self.refusals < 2)
    @rule(kinds=st.lists(KINDS, min_size=1, max_size=3))
    def enter(self, kinds: list[str]) -> None:
        for kind in kinds:
            if not isinstance(self.all_do(lambda driven, kind=kind: driven.enter(driven.block(kind))), Raised):  # type: ignore[misc]
                self.depth += 1

    @to_leave
    @rule()
    def leave(self) -> None:
        self.depth -= 1
        self.all_do(lambda driven: driven.leave())

    @to_leave
    @rule(error=st.sampled_from(ERRORS))
    def leave_by(self, error: Callable[[], BaseException]) -> None:
        self.depth -= 1
        self.all_do(lambda driven: driven.leave(error()))

    @to_leave
    @rule()
    def commit(self) -> None:
        self.all_do(lambda driven: driven.uow.commit())

    @to_leave
    @rule()
    def commit_and_leave(self) -> None:
        self.commit()
        self.leave()

    # The reader beside

    @precondition(lambda self: not self.is_read)
    @rule(snapshot=st.booleans())
    def reader_enters(self, snapshot: bool) -> None:
        async def enter(driven: DrivenBackend) -> None:
            driven.reading = driven.reader.reading(snapshot=snapshot)
            await driven.reading.__aenter__()

        self.is_read = True
        self.all_do(enter, beside=True)

    @precondition(lambda self: self.is_read)
    @rule()
    def reader_looks(self) -> None:
        self.all_do(lambda driven: driven.reader.users.page(limit=10), beside=True)
        self.all_do(lambda driven: driven.reader.items.page_with_owner(limit=10), beside=True)

    @precondition(lambda self: self.is_read)
    @rule()
    def reader_leaves(self) -> None:
        async def leave(driven: DrivenBackend) -> None:
            reading, driven.reading = driven.reading, None
            assert reading is not None
            await reading.__aexit__(None, None, None)

        self.is_read = False
        self.all_do(leave, beside=True)
