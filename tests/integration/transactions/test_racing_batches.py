"""Batches at the same time, over the same items in different orders. As in `test_racing_writers`, two `Database`
objects stand for two processes."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.batch_operations import CreateItem, DeleteItem, Operation, OperationResult, TransferItem, UpdateItem
from steward.domain.errors import Conflict, InsufficientQuantity, OperationFailed, StewardError, VersionMismatch
from steward.domain.items import Item, ToItem
from steward.service_layer import items
from steward.service_layer.batch import run_batch
from steward.service_layer.retry import run
from steward.testing import MemoryDatabase

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, Store, every_item, given_item, given_user
from tests.support.signed_in import patiently
from tests.support.statements import cost_of

from .test_racing_writers import Stores, beside, outcomes


@pytest_asyncio.fixture
async def stores(store: Store) -> AsyncIterator[Stores]:
    async with beside(store) as other:
        yield store, other


async def batch(store: Store, *operations: Operation) -> list[OperationResult]:
    return await patiently(run(store.unit_of_work(), run_batch, SYSTEM, operations=operations))


async def cause(work: Coroutine[Any, Any, object]) -> type[StewardError] | None:
    """Why an operation was refused, if one was."""
    try:
        await work
    except OperationFailed as error:
        return type(error.error)
    return None


async def test_batches_over_the_same_items_in_opposite_orders_are_all_done(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    boxes = [await given_item(stores[0], ada) for _ in range(12)]
    done, refusals = await outcomes(
        *(
            batch(
                stores[n // 2 % 2],
                *(UpdateItem(item_id=box.id, attributes={f"by {n}": n}) for box in boxes[:: 1 if n % 2 else -1]),
            )
            for n in range(10)
        )
    )
    assert not refusals
    assert len(done) == 10
    for item in await every_item(stores[0]):
        assert item.attributes == {f"by {n}": n for n in range(10)}
        assert item.version == 11


async def test_transfers_in_racing_batches_conserve_the_sum(stores: Stores) -> None:
    people = [await given_user(stores[0], name) for name in ("ada", "bob")]
    boxes = [await given_item(stores[0], owner, quantity=5) for owner in people for _ in range(4)]
    draw = random.Random(7)

    def transfers() -> list[Operation]:
        pairs = [draw.sample(boxes, 2) for _ in range(4)]
        return [
            TransferItem(item_id=giver.id, to=ToItem(taker.id), quantity=draw.choice([1, 2])) for giver, taker in pairs
        ]

    causes = await asyncio.gather(*(cause(batch(stores[n % 2], *transfers())) for n in range(20)))
    assert set(causes) <= {None, InsufficientQuantity}
    assert causes.count(None) >= 5
    after = await every_item(stores[0])
    assert sum(item.quantity for item in after) == 40
    assert min(item.quantity for item in after) >= 0
    # Of a batch that was refused nothing is there: each of the others has changed two items four times.
    assert sum(item.version - 1 for item in after) == 8 * causes.count(None)


async def test_of_batches_that_name_the_same_versions_exactly_one_is_done(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    boxes = [await given_item(stores[0], ada) for _ in range(3)]
    causes = await asyncio.gather(
        *(
            cause(
                batch(
                    stores[n % 2],
                    CreateItem(name=f"By {n}", owner_id=ada.id),
                    *(UpdateItem(item_id=box.id, name=f"By {n}", version=1) for box in boxes[:: 1 if n % 2 else -1]),
                )
            )
            for n in range(6)
        )
    )
    assert Counter(causes) == {None: 1, VersionMismatch: 5}
    after = await every_item(stores[0])
    assert len(after) == 4
    assert len({item.name for item in after}) == 1


async def test_batches_and_single_changes_lose_nothing_of_each_other(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    boxes = [await given_item(stores[0], ada) for _ in range(4)]
    await asyncio.gather(
        *(
            batch(
                stores[n % 2],
                *(UpdateItem(item_id=box.id, attributes={f"batch {n}": n}) for box in boxes[:: 1 if n % 2 else -1]),
            )
            for n in range(4)
        ),
        *(
            patiently(
                run(
                    stores[n % 2].unit_of_work(),
                    items.update_item,
                    SYSTEM,
                    item_id=boxes[n].id,
                    attributes={"alone": n},
                )
            )
            for n in range(4)
        ),
    )
    for number, item in enumerate(await every_item(stores[0])):
        assert item.attributes == {**{f"batch {n}": n for n in range(4)}, "alone": number}


async def test_of_batches_that_delete_the_same_items_exactly_one_does(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    boxes = [await given_item(stores[0], ada) for _ in range(3)]
    _, refusals = await outcomes(
        *(batch(stores[n % 2], *(DeleteItem(item_id=box.id) for box in boxes[:: 1 if n % 2 else -1])) for n in range(4))
    )
    assert refusals == {OperationFailed: 3}
    assert await every_item(stores[0]) == []


async def test_a_batch_that_lost_a_race_is_run_again_as_a_whole() -> None:
    store = MemoryDatabase()
    ada = await given_user(store, "ada")
    box = await given_item(store, ada, quantity=3)
    store.conflict_next(2)
    await batch(store, CreateItem(name="Lid", owner_id=ada.id), UpdateItem(item_id=box.id, quantity=4))
    assert [(item.name, item.quantity) for item in await every_item(store)] == [("Box", 4), ("Lid", 1)]


async def test_a_race_that_is_lost_inside_a_batch_is_a_conflict_and_no_refusal_of_an_operation(
    postgres_url: str,
) -> None:
    """Only whoever has begun the transaction can begin it again."""
    async with Database(postgres_url, pool=PATIENT) as one, Database(postgres_url, pool=PATIENT) as other:
        box = await given_item(one, await given_user(one, "ada"))
        async with one.unit_of_work() as uow:
            await items.get_item(uow, SYSTEM, item_id=box.id)
            await asyncio.create_task(_rename(other, box))
            with pytest.raises(Conflict):
                await run_batch(uow, SYSTEM, operations=[UpdateItem(item_id=box.id, quantity=7)])


async def _rename(store: Store, box: Item) -> None:
    await items.update_item(store.unit_of_work(), SYSTEM, item_id=box.id, name="Lid")


async def test_nobody_holds_off_others_by_naming_what_is_not_theirs(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        ada, bob = await given_user(database, "ada"), await given_user(database, "bob")
        box, lid = await given_item(database, ada), await given_item(database, bob)
        async with database.unit_of_work() as uow:
            with pytest.raises(OperationFailed):
                operations: list[Operation] = [
                    UpdateItem(item_id=lid.id, name="Held"),
                    DeleteItem(item_id=box.id),
                    TransferItem(item_id=lid.id, to=ToItem(box.id)),
                ]
                await run_batch(uow, Actor.of(bob), operations=operations)
            renaming = asyncio.create_task(_rename_in_own_database(database, box))
            async with asyncio.timeout(60):
                await renaming
        assert [item.name for item in await every_item(database)] == ["Lid", "Box"]


async def _rename_in_own_database(database: Database, box: Item) -> None:
    async with Database(database.url.render_as_string(hide_password=False), pool=PATIENT) as other:
        await _rename(other, box)


async def test_a_batch_costs_its_operations_one_bulk_insert_for_neighbours_and_one_lock(database: Database) -> None:
    ada = await given_user(database, "ada")
    boxes = [await given_item(database, ada, quantity=3) for _ in range(2)]
    creations: list[Operation] = [CreateItem(name="Box", owner_id=ada.id)] * 400
    change: list[Operation] = [UpdateItem(item_id=boxes[0].id, name="Lid"), DeleteItem(item_id=boxes[1].id)]
    operations = [*creations, *change, *creations, creations[0], UpdateItem(item_id=boxes[0].id, name="Bag")]
    cost = await cost_of(database, lambda uow: run_batch(uow, SYSTEM, operations=operations))
    lock, bulk = (["SELECT"], ["INSERT"]) if database.dialect == "postgresql" else ([], ["SELECT", "INSERT"])
    neighbours = ["SAVEPOINT", *bulk, "RELEASE"]
    changes = ["SELECT", "UPDATE", "SELECT", "DELETE"]
    assert cost.shape == ["BEGIN", *lock, *neighbours, *changes, *neighbours, "SELECT", "UPDATE", "COMMIT"]
    alone = await cost_of(database, lambda uow: run_batch(uow, SYSTEM, operations=creations[:1]))
    assert alone.shape == ["BEGIN", "INSERT", "COMMIT"]
