"""Promises 1, 2 and 7 where a generator holds a block and is suspended inside another."""
# ruff: noqa: PT012 - these are tests, as those in tests/

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Literal

import pytest

from ...domain.errors import ConcurrentUse, ReadOnly
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store
from .setting import Setting
from .steps import add, names, names_in, register

Kind = Literal["writing", "reading", "savepoint"]
KINDS: tuple[Kind, ...] = ("writing", "reading", "savepoint")


async def inside(uow: UnitOfWork, kind: Kind) -> AsyncGenerator[set[str], None]:
    """Holds a block for as long as somebody asks for more."""
    block: AbstractAsyncContextManager[UnitOfWork] = uow
    if kind != "writing":
        block = uow.reading() if kind == "reading" else uow.savepoint()
    async with block:
        while True:
            yield await names_in(uow)


class Generators(Setting):
    @pytest.mark.promise(2)
    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_block_left_while_a_generator_inside_is_suspended_is_rolled_back_and_says_so(
        self, store: Store, in_use: Callable[[], int], kind: Kind
    ) -> None:
        uow = store.unit_of_work()
        held = inside(uow, kind)
        with pytest.raises(ConcurrentUse, match="generator"):
            async with uow:
                await add(uow, "ada")
                await anext(held)
        assert not uow.is_open
        assert in_use() == 0
        assert await names(store) == set()
        await held.aclose()
        await register(uow, "bob")
        assert await names(store) == {"bob"}

    @pytest.mark.promise(1)
    async def test_a_commit_that_a_suspended_generator_takes_for_its_own_is_not_silent(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        uow = store.unit_of_work()
        held = inside(uow, "writing")
        with pytest.raises(ConcurrentUse, match="generator"):
            async with uow:
                await add(uow, "ada")
                await anext(held)
                await uow.commit()
        assert in_use() == 0
        assert await names(store) == set()
        await held.aclose()

    @pytest.mark.promise(1)
    async def test_nothing_can_be_committed_while_a_generator_reads(self, store: Store) -> None:
        uow = store.unit_of_work()
        held = inside(uow, "reading")
        with pytest.raises(ReadOnly):
            async with uow:
                await add(uow, "ada")
                await anext(held)
                await uow.commit()
        await held.aclose()
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_generator_that_ends_late_does_not_touch_the_next_transaction(self, store: Store) -> None:
        uow = store.unit_of_work()
        held = inside(uow, "writing")
        with pytest.raises(ConcurrentUse):
            async with uow:
                await anext(held)
        async with uow:
            await add(uow, "ada")
            await held.aclose()
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_generator_that_is_closed_in_time_is_a_block_like_any_other(self, store: Store, kind: Kind) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            async with aclosing(inside(uow, "reading" if kind == "writing" else kind)) as held:
                assert await anext(held) == {"ada"}
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_blocks_may_be_entered_through_an_exit_stack(self, store: Store) -> None:
        uow = store.unit_of_work()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(uow)
            await add(uow, "ada")
            await register(uow, "bob")
            await uow.commit()
        assert not uow.is_open
        assert await names(store) == {"ada", "bob"}
