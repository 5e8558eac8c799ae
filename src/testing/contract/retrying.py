"""Promise 5: conflicts are retried from outside, by `run` and by nobody else."""
# ruff: noqa: ARG001, ARG005 - these are tests, as those in tests/

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

import pytest

from ...domain.actors import Actor
from ...domain.errors import (
    AlreadyInTransaction,
    Conflict,
    DatabaseUnavailable,
    OutcomeUnknown,
    TransactionAborted,
    UsernameTaken,
    VersionMismatch,
)
from ...domain.items import Item, ItemId
from ...service_layer import items, retry
from ...service_layer.retry import ATTEMPTS, run
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_item, given_user
from .setting import LoseCommit, Setting
from .steps import add, names, stale


class Racing:
    """A use case that loses its first `lost` races, and notes how it was called."""

    def __init__(self, item: Item, *, lost: int) -> None:
        self.item = item
        self.lost = lost
        self.calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
        self.times: list[datetime] = []

    async def __call__(self, uow: UnitOfWork, actor: Actor, /, *args: object, **kwargs: object) -> str:
        self.calls.append((args, kwargs))
        async with uow:
            self.times.append(uow.now)
            await add(uow, f"attempt-{len(self.calls)}")
            if len(self.calls) <= self.lost:
                await stale(uow, self.item)
            await uow.commit()
        return "done"


class Retrying(Setting):
    @pytest.fixture
    def without_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(random, "uniform", lambda least, most: 0.0)

    @pytest.mark.promise(5)
    async def test_a_lost_race_is_run_again_on_a_fresh_transaction(self, store: Store) -> None:
        use_case = Racing(await given_item(store), lost=2)
        before = await names(store)
        assert await run(store.unit_of_work(), use_case, Actor.system()) == "done"
        assert await names(store) == before | {"attempt-3"}

    @pytest.mark.promise(5)
    async def test_every_attempt_has_the_same_arguments_and_the_same_time(self, store: Store) -> None:
        use_case = Racing(await given_item(store), lost=3)
        uow = store.unit_of_work()
        given = {"a": 1}
        await run(uow, use_case, Actor.system(), given, b=given)
        assert use_case.calls == [((given,), {"b": given})] * 4
        assert all(args[0] is given and kwargs["b"] is given for args, kwargs in use_case.calls)
        assert len(set(use_case.times)) == 1

    @pytest.mark.promise(5)
    async def test_time_stands_still_while_it_is_held_and_no_longer(self, store: Store) -> None:
        times = []

        async def use_case(uow: UnitOfWork, actor: Actor) -> None:
            async with uow:
                times.append(uow.now)

        uow = store.unit_of_work()
        with uow.freeze_time():
            await run(uow, use_case, Actor.system())
            await run(uow, use_case, Actor.system())
        await asyncio.to_thread(lambda: None)  # clocks have a resolution
        await run(uow, use_case, Actor.system())
        assert times[0] == times[1] < times[2]

    @pytest.mark.promise(5)
    @pytest.mark.usefixtures("without_pauses")
    async def test_it_gives_up_after_a_bounded_number_of_attempts(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        use_case = Racing(await given_item(store), lost=10_000)
        before = await names(store)
        with pytest.raises(Conflict):
            await run(store.unit_of_work(), use_case, Actor.system())
        assert len(use_case.calls) == ATTEMPTS
        assert await names(store) == before
        assert in_use() == 0

    @pytest.mark.promise(5)
    async def test_nothing_but_a_conflict_is_run_again(self, store: Store) -> None:
        calls = []

        async def use_case(uow: UnitOfWork, actor: Actor, error: Exception) -> None:
            calls.append(error)
            async with uow:
                await add(uow, "ada")
                raise error

        errors: list[Exception] = [
            VersionMismatch(),
            OutcomeUnknown(),
            UsernameTaken(),
            DatabaseUnavailable(),
            TransactionAborted(),
            ValueError(),
        ]
        for error in errors:
            with pytest.raises(type(error)) as caught:
                await run(store.unit_of_work(), use_case, Actor.system(), error)
            assert caught.value is error
        assert calls == errors
        assert await names(store) == set()

    @pytest.mark.promise(5)
    @pytest.mark.parametrize("stored", [True, False])
    async def test_a_lost_commit_is_never_run_again(
        self, store: Store, stored: bool, lose_next_commit: LoseCommit
    ) -> None:
        use_case = Racing(await given_item(store), lost=0)
        before = await names(store)
        lose_next_commit(stored=stored)
        with pytest.raises(OutcomeUnknown):
            await run(store.unit_of_work(), use_case, Actor.system())
        assert len(use_case.calls) == 1
        assert await names(store) == (before | {"attempt-1"} if stored else before)

    @pytest.mark.promise(5)
    async def test_inside_an_open_block_it_just_calls(self, store: Store) -> None:
        use_case = Racing(await given_item(store), lost=1)
        before = await names(store)
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await run(uow, use_case, Actor.system())
            with pytest.raises(TransactionAborted):
                await run(uow, use_case, Actor.system())
        assert await names(store) == before

    @pytest.mark.promise(5)
    async def test_whoever_opened_the_block_runs_the_whole_again(self, store: Store) -> None:
        inner = Racing(await given_item(store), lost=1)
        before = await names(store)
        attempts = []

        async def outer(uow: UnitOfWork, actor: Actor) -> None:
            attempts.append(uow.is_open)
            async with uow:
                await add(uow, f"outer-{len(attempts)}")
                await run(uow, inner, actor)
                await uow.commit()

        await run(store.unit_of_work(), outer, Actor.system())
        assert attempts == [False, False]
        assert await names(store) == before | {"outer-2", "attempt-2"}

    @pytest.mark.promise(5)
    async def test_a_second_unit_inside_a_block_is_refused_and_not_retried(self, store: Store) -> None:
        use_case = Racing(await given_item(store), lost=0)
        async with store.unit_of_work() as uow:
            with pytest.raises(AlreadyInTransaction):
                await run(store.unit_of_work(), use_case, Actor.system())
            await uow.commit()
        assert len(use_case.calls) == 1

    @pytest.mark.promise(5)
    async def test_a_swallowed_conflict_is_no_conflict_any_more(self, store: Store) -> None:
        item = await given_item(store)
        calls = []

        async def use_case(uow: UnitOfWork, actor: Actor) -> None:
            calls.append(uow)
            async with uow:
                with pytest.raises(Conflict):
                    await stale(uow, item)
                await uow.commit()

        with pytest.raises(TransactionAborted):
            await run(store.unit_of_work(), use_case, Actor.system())
        assert len(calls) == 1

    @pytest.mark.promise(5)
    async def test_a_cancellation_ends_the_pause_between_two_attempts(
        self, store: Store, in_use: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_case = Racing(await given_item(store), lost=10_000)
        pausing = asyncio.Event()

        def pause(least: float, most: float) -> float:
            pausing.set()
            return 3600.0

        monkeypatch.setattr(random, "uniform", pause)
        running = asyncio.create_task(run(store.unit_of_work(), use_case, Actor.system()))
        await pausing.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(use_case.calls) == 1
        assert in_use() == 0

    @pytest.mark.promise(5)
    async def test_competing_updates_are_all_counted(self, store: Store) -> None:
        owner = await given_user(store)
        item = await given_item(store, owner=owner, quantity=0)

        async def count_one(uow: UnitOfWork, actor: Actor, item_id: ItemId) -> None:
            async with uow:
                seen = await uow.items.get(item_id)
                seen.change(at=uow.now, quantity=seen.quantity + 1)
                await uow.items.save(seen)
                await uow.commit()

        await asyncio.gather(*(run(store.unit_of_work(), count_one, Actor.of(owner), item.id) for _ in range(8)))
        stored = await items.get_item(store.unit_of_work(), Actor.of(owner), item_id=item.id)
        assert (stored.quantity, stored.version) == (8, 9)

    @pytest.mark.promise(5)
    async def test_no_attempt_is_begun_after_the_longest_time(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retry, "LONGEST_TIME", 0.0)
        calls = 0

        async def lose(uow: UnitOfWork, actor: Actor) -> None:
            nonlocal calls
            calls += 1
            raise Conflict

        with pytest.raises(Conflict):
            await retry.run(store.unit_of_work(), lose, Actor.system())
        assert calls == 1
