"""Promises 1, 2 and 10 when the task is cancelled: at every await of a unit, one after the other."""
# ruff: noqa: ARG001, PT012 - these are tests, as those in tests/

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any

import pytest

from ...domain.errors import OutcomeUnknown
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store
from .setting import Setting
from .steps import add, apart, names, names_in, register

Cancel = Callable[["asyncio.Task[Any]"], None]
UseCase = Callable[[UnitOfWork, Callable[[], None]], Awaitable[None]]


def at_once(task: "asyncio.Task[Any]") -> None:
    """Before what is awaited has begun."""
    task.cancel()


def soon(task: "asyncio.Task[Any]") -> None:
    """While what is awaited is under way."""
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: loop.call_soon(task.cancel))


def twice(task: "asyncio.Task[Any]") -> None:
    at_once(task)
    soon(task)


class Probe:
    """Runs `work` and cancels it at its await number `number`; `again` at every later one too, as anyio does."""

    def __init__(self, number: int, cancel: Cancel, *, again: bool = False) -> None:
        self.number = number
        self.cancel = cancel
        self.again = again
        self.awaits = 0

    @property
    def struck(self) -> bool:
        return self.awaits >= self.number

    async def run(self, work: Awaitable[None]) -> None:
        await self._drive(work)

    @types.coroutine
    def _drive(self, work: Awaitable[None]) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        steps = work.__await__()
        send: Callable[[], Any] = lambda: next(steps)
        while True:
            try:
                waiting_for = send()
            except StopIteration:
                return
            self.awaits += 1
            if self.awaits == self.number or (self.again and self.struck):
                self.cancel(task)
            try:
                value = yield waiting_for
            except BaseException as error:
                send = lambda error=error: steps.throw(error)  # type: ignore[misc]
            else:
                send = lambda value=value: steps.send(value)  # type: ignore[misc]


async def plain(uow: UnitOfWork, committed: Callable[[], None]) -> None:
    async with uow:
        await add(uow, "ada")
        await add(uow, "bob")
        await uow.commit()
        committed()


async def nested(uow: UnitOfWork, committed: Callable[[], None]) -> None:
    async with uow:
        async with uow.savepoint():
            await register(uow, "ada")
        with suppress(ValueError):
            async with uow.savepoint():
                await register(uow, "cyd")
                raise ValueError
        async with uow.reading(snapshot=True):
            await names_in(uow)
        await register(uow, "bob")
        await uow.commit()
        committed()


async def undone(uow: UnitOfWork, committed: Callable[[], None]) -> None:
    with suppress(ValueError):
        async with uow:
            await add(uow, "ada")
            raise ValueError
    async with uow:
        await add(uow, "ada")


async def only_read(uow: UnitOfWork, committed: Callable[[], None]) -> None:
    async with uow.reading():
        await names_in(uow)
        async with uow.reading(snapshot=True):
            await names_in(uow)
        await names_in(uow)
    async with uow.reading(snapshot=True):
        await names_in(uow)


USE_CASES: tuple[UseCase, ...] = (plain, nested, undone, only_read)


class Cancellation(Setting):
    @pytest.mark.promise(1)
    @pytest.mark.promise(2)
    @pytest.mark.parametrize(
        ("cancel", "again"), [(at_once, False), (soon, False), (twice, False), (at_once, True), (soon, True)]
    )
    @pytest.mark.parametrize("use_case", USE_CASES)
    async def test_a_unit_cancelled_at_any_await_leaves_nothing_open_and_all_or_nothing_stored(
        self,
        store: Store,
        in_use: Callable[[], int],
        use_case: UseCase,
        cancel: Cancel,
        again: bool,
    ) -> None:
        await register(store.unit_of_work(), "zoe")
        probe, number = Probe(1, cancel, again=again), 1
        while True:
            uow = store.unit_of_work()
            commits: list[None] = []
            task = asyncio.create_task(probe.run(use_case(uow, lambda commits=commits: commits.append(None))))  # type: ignore[misc]
            await asyncio.wait([task])

            assert not uow.is_open
            assert in_use() == 0
            stored = await names(store) - {"zoe"}
            assert stored in (set(), {"ada", "bob"})
            if commits:
                assert stored, "commit() had returned"
            elif task.cancelled():
                assert not stored, "a cancellation says that nothing was stored"
            else:
                error = task.exception()
                assert error is None or isinstance(error, OutcomeUnknown)
            async with uow:
                for user in await uow.users.page(limit=10):
                    if user.username != "zoe":
                        await uow.users.delete(user)
                await uow.commit()
            if not probe.struck:
                break
            number += 1
            probe = Probe(number, cancel, again=again)
        assert number > 3

    @pytest.mark.promise(10)
    async def test_a_cancellation_that_strikes_during_commit_is_no_success_and_no_plain_cancellation(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        """Otherwise a deadline would be reported as one that nothing was stored after."""
        committing = asyncio.Event()

        async def use_case() -> None:
            async with store.unit_of_work() as uow:
                await add(uow, "ada")
                committing.set()
                await uow.commit()

        task = asyncio.create_task(use_case())
        await committing.wait()
        task.cancel()
        with pytest.raises(OutcomeUnknown) as caught:
            await task
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert in_use() == 0
        assert await names(store) == {"ada"}

    @pytest.mark.promise(10)
    async def test_a_deadline_that_strikes_during_commit_raises_outcome_unknown(self, store: Store) -> None:
        with pytest.raises(OutcomeUnknown):
            async with asyncio.timeout(None) as deadline, store.unit_of_work() as uow:
                await add(uow, "ada")
                deadline.reschedule(0)
                await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(2)
    async def test_a_unit_that_waits_for_its_turn_can_be_cancelled(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            waiting = apart(register(store.unit_of_work(), "bob"))
            for _ in range(5):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await uow.commit()
        assert in_use() == 0
        await register(store.unit_of_work(), "cyd")
        assert await names(store) - {"bob"} == {"ada", "cyd"}
