"""A batch does what its operations do one after the other, or nothing at all."""

import asyncio
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
from hypothesis import event, given, settings
from steward.domain.actors import Actor
from steward.domain.batch_operations import CreateItem, DeleteItem, Operation, OperationResult, TransferItem, UpdateItem
from steward.domain.errors import ItemNotFound, OperationFailed, StewardError
from steward.domain.items import MAX_QUANTITY, Item, ItemId, ToItem
from steward.domain.partial import UNSET
from steward.domain.users import Role, User, UserId
from steward.service_layer import items
from steward.service_layer.batch import run_batch
from steward.testing import Clock, MemoryDatabase, given_item, given_user


def mostly(*good: Any, else_: list[Any]) -> st.SearchStrategy[Any]:
    """What is refused ends a batch: it has to be rare, or nothing of any length would ever be done."""
    return st.sampled_from([*good * 5, *else_])


# Those that are there first, and those that the operations make, or Bob's; 99 never is.
IDS = mostly(1, 2, 3, else_=[4, 5, 6, 99]).map(ItemId)
NAMES = mostly("Box", "Lid", else_=[""])
QUANTITIES = mostly(0, 1, 2, 5, else_=[-1, MAX_QUANTITY])
VERSIONS = mostly(None, else_=[1, 2])
RECIPIENTS = st.one_of(mostly("bob", UserId(2), else_=["ada", "nobody", UserId(4711)]), IDS.map(ToItem))
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "description": st.sampled_from([None, "Oak"]),
        "quantity": QUANTITIES,
        "attributes": st.sampled_from([{}, {"a": 1}, {"a": None}]),
    },
)
OPERATIONS = st.one_of(
    st.builds(CreateItem, name=NAMES, quantity=QUANTITIES, owner_id=mostly(None, UserId(1), else_=[UserId(4711)])),
    st.builds(
        lambda item_id, version, changes: UpdateItem(item_id=item_id, version=version, **changes),
        IDS,
        VERSIONS,
        CHANGES,
    ),
    st.builds(DeleteItem, item_id=IDS, version=VERSIONS),
    st.builds(TransferItem, item_id=IDS, to=RECIPIENTS, quantity=mostly(None, 1, else_=[0, 2, 6]), version=VERSIONS),
)


async def given_store() -> tuple[MemoryDatabase, list[User]]:
    """Ada has three items, Bob one, and the clock stands still."""
    store = MemoryDatabase(clock=Clock())
    ada, bob = await given_user(store, username="ada"), await given_user(store, username="bob")
    root = await given_user(store, username="root", role=Role.ADMIN)
    for owner in (ada, ada, ada, bob):
        await given_item(store, owner=owner, name="Box", quantity=3)
    return store, [ada, bob, root]


async def do(store: MemoryDatabase, actor: Actor, operation: Operation) -> OperationResult:
    """By itself, as any client would."""
    uow, fields = store.unit_of_work(), {name: getattr(operation, name) for name in operation.__slots__}
    match operation:
        case CreateItem():
            created = await items.create_item(uow, actor, **fields)
            return OperationResult(created.id, 1)
        case UpdateItem():
            given_fields = {name: value for name, value in fields.items() if value is not UNSET}
            return OperationResult(operation.item_id, (await items.update_item(uow, actor, **given_fields)).version)
        case DeleteItem():
            if not await items.delete_item(uow, actor, **fields):
                raise ItemNotFound(operation.item_id)
            return OperationResult(operation.item_id, None)
        case TransferItem():
            moved = await items.transfer_item(uow, actor, **fields)
            whole, split = moved.item or moved.received, moved.item and not isinstance(operation.to, ToItem)
            return OperationResult(operation.item_id, whole.version, moved.received.id if split else None)


async def one_after_the_other(actor_number: int, operations: list[Operation]) -> tuple[Mapping[ItemId, Item], Any]:
    store, people = await given_store()
    results: list[OperationResult] = []
    for index, operation in enumerate(operations):
        try:
            results.append(await do(store, Actor.of(people[actor_number]), operation))
        except StewardError as error:
            return (await given_store())[0].items, (index, type(error), str(error))
    return store.items, results


async def in_a_batch(actor_number: int, operations: list[Operation]) -> tuple[Mapping[ItemId, Item], Any]:
    store, people = await given_store()
    try:
        results: Any = await run_batch(store.unit_of_work(), Actor.of(people[actor_number]), operations=operations)
    except OperationFailed as failed:
        results = failed.index, type(failed.error), str(failed.error)
    return store.items, results


@settings(max_examples=300, database=None)
@given(actor=st.sampled_from([0, 2]), operations=st.lists(OPERATIONS, min_size=1, max_size=8))
def test_a_batch_is_its_operations_one_after_the_other_or_nothing(actor: int, operations: list[Operation]) -> None:
    alone = asyncio.run(one_after_the_other(actor, operations))
    event(f"refused at {alone[1][0]}" if isinstance(alone[1], tuple) else f"done: {len(operations)}")
    assert asyncio.run(in_a_batch(actor, operations)) == alone
