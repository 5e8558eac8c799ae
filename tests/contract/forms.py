"""The unit of work in several forms, driven alike and compared after each step: blocks, and a reader beside."""

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
from .lanes import Lane, Raised

DEEPEST = 4
KINDS = st.sampled_from(["writing", "writing", "savepoint", "reading", "snapshot"])
ERRORS: list[Callable[[], BaseException]] = [ValueError, Conflict, lambda: ItemNotFound(1), asyncio.CancelledError]

Step = Callable[[Lane], Awaitable[Any]]
Stores = list[MemoryDatabase | Database]

# What is done outside a block, or to a transaction that is lost, has tests of its own; here it would take the places of
# better steps.
inside = precondition(lambda machine: machine.depth > 0 and machine.refusals < 2)
to_leave = precondition(lambda machine: machine.depth > 0)


class Forms(RuleBasedStateMachine):
    """One unit of work in each form, driven alike; beside it a reader in a task of its own."""

    def __init__(self, make_stores: Callable[[Clock, Path], Stores]) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.depth = 0
        self.refusals = 0
        self.is_read = False
        self.lanes = self.runner.run(self._open(make_stores))

    async def _open(self, make_stores: Callable[[Clock, Path], Stores]) -> list[Lane]:
        stores = make_stores(self.clock, Path(self.directory.name))
        for store in stores:
            if isinstance(store, Database) and store.dialect == "postgresql":
                await empty(store)
        return [Lane(store) for store in stores]

    def teardown(self) -> None:
        try:
            self.runner.run(self._close())
        finally:
            self.runner.close()
            self.directory.cleanup()

    async def _close(self) -> None:
        for lane in self.lanes:
            if lane.reading is not None:
                await lane.reader_task.do(lambda lane=lane: lane.reading.__aexit__(None, None, None))  # type: ignore[misc]
            while lane.blocks:
                await lane.task.do(lane.leave)
            await lane.task.end()
            await lane.reader_task.end()
            in_use = lane.in_use()
            if isinstance(lane.store, Database):
                await lane.store.aclose()
            assert in_use == 0

    # All forms alike

    def all_do(self, step: Step, *, creates: bool = False, beside: bool = False) -> Any:
        async def everywhere() -> list[Any]:
            return await asyncio.gather(
                *(
                    (lane.reader_task if beside else lane.task).do(lambda lane=lane: step(lane))  # type: ignore[misc]
                    for lane in self.lanes
                )
            )

        answers = self.runner.run(everywhere())
        refused = isinstance(answers[0], Raised) and answers[0].kind == "TransactionAborted"
        self.refusals = self.refusals + 1 if refused else 0
        for lane, answer in zip(self.lanes, answers, strict=True):
            lane.keep(answer, created=creates)
        self._agree([lane.seen(answer) for lane, answer in zip(self.lanes, answers, strict=True)])
        return answers[0]

    def _agree(self, answers: list[object]) -> None:
        for lane, answer in zip(self.lanes, answers, strict=True):
            assert answer == answers[0], f"{type(lane.store).__name__} answers otherwise than the first form"

    @invariant()
    def all_hold_the_same(self) -> None:
        async def look() -> list[object]:
            return await asyncio.gather(*(asyncio.create_task(lane.contents()) for lane in self.lanes))

        self._agree(self.runner.run(look()))
        self._agree([lane.uow.is_open for lane in self.lanes])
        assert self.lanes[0].uow.is_open == (self.depth > 0)
        if self.depth:
            self._agree([lane.uow.now for lane in self.lanes])
        else:
            assert all(lane.in_use() <= int(self.is_read) for lane in self.lanes)

    # Blocks

    @precondition(lambda self: self.depth < DEEPEST and self.refusals < 2)
    @rule(kinds=st.lists(KINDS, min_size=1, max_size=3))
    def enter(self, kinds: list[str]) -> None:
        for kind in kinds:
            if not isinstance(self.all_do(lambda lane, kind=kind: lane.enter(lane.block(kind))), Raised):  # type: ignore[misc]
                self.depth += 1

    @to_leave
    @rule()
    def leave(self) -> None:
        self.depth -= 1
        self.all_do(lambda lane: lane.leave())

    @to_leave
    @rule(error=st.sampled_from(ERRORS))
    def leave_by(self, error: Callable[[], BaseException]) -> None:
        self.depth -= 1
        self.all_do(lambda lane: lane.leave(error()))

    @to_leave
    @rule()
    def commit(self) -> None:
        self.all_do(lambda lane: lane.uow.commit())

    @to_leave
    @rule()
    def commit_and_leave(self) -> None:
        self.commit()
        self.leave()

    # The reader beside

    @precondition(lambda self: not self.is_read)
    @rule(snapshot=st.booleans())
    def reader_enters(self, snapshot: bool) -> None:
        async def enter(lane: Lane) -> None:
            lane.reading = lane.reader.reading(snapshot=snapshot)
            await lane.reading.__aenter__()

        self.is_read = True
        self.all_do(enter, beside=True)

    @precondition(lambda self: self.is_read)
    @rule()
    def reader_looks(self) -> None:
        self.all_do(lambda lane: lane.reader.users.page(limit=10), beside=True)
        self.all_do(lambda lane: lane.reader.items.page_with_owner(limit=10), beside=True)

    @precondition(lambda self: self.is_read)
    @rule()
    def reader_leaves(self) -> None:
        async def leave(lane: Lane) -> None:
            reading, lane.reading = lane.reading, None
            assert reading is not None
            await reading.__aexit__(None, None, None)

        self.is_read = False
        self.all_do(leave, beside=True)
