"""Batches, in every backend: the effects of the given order, all or nothing, and an error that names its operation."""

from collections.abc import Sequence
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.batch_operations import CreateItem, DeleteItem, Operation, OperationResult, TransferItem, UpdateItem
from steward.domain.errors import (
    Forbidden,
    InsufficientQuantity,
    InvalidValue,
    ItemNotFound,
    NotAuthenticated,
    OperationFailed,
    QuantityOverflow,
    SameItem,
    StewardError,
    UnknownOwner,
    UnknownRecipient,
    VersionMismatch,
    VersionRequired,
)
from steward.domain.items import MAX_QUANTITY, ItemId, ToItem
from steward.domain.users import Role, User, UserId
from steward.service_layer import items
from steward.service_layer.batch import run_batch
from steward.service_layer.retry import run

from tests.support.given import Store, every_item, given_item, given_user

NOWHERE = ItemId(10**9)


async def batch(store: Store, user: User, *operations: Operation) -> list[OperationResult]:
    return await run(store.unit_of_work(), run_batch, Actor.of(user), operations=operations)


async def refusal(store: Store, user: User, operations: Sequence[Operation]) -> tuple[int, type[StewardError]]:
    """Which operation, and why."""
    with pytest.raises(OperationFailed) as caught:
        await batch(store, user, *operations)
    return caught.value.index, type(caught.value.error)


async def test_each_operation_does_what_its_use_case_does(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, lid = await given_item(store, ada, quantity=9), await given_item(store, ada)
    crate, gift = await given_item(store, ada, name="Crate"), await given_item(store, ada, name="Gift", quantity=2)
    results = await batch(
        store,
        ada,
        CreateItem(name="Bag", description="Jute", quantity=2, attributes={"a": [1]}),
        UpdateItem(item_id=box.id, name="Chest", attributes={"colour": "green"}, version=1),
        TransferItem(item_id=box.id, to="bob", quantity=2, version=2),
        TransferItem(item_id=box.id, to=ToItem(crate.id), quantity=3),
        TransferItem(item_id=gift.id, to=bob.id),
        DeleteItem(item_id=lid.id, version=1),
    )
    bag, part = results[0].item_id, results[2].received_id
    assert results == [
        OperationResult(bag, 1),
        OperationResult(box.id, 2),
        OperationResult(box.id, 3, part),
        OperationResult(box.id, 4),
        OperationResult(gift.id, 2),
        OperationResult(lid.id, None),
    ]
    after = {item.id: item for item in await every_item(store)}
    assert {item.id: (item.owner_id, item.name, item.quantity, item.version) for item in after.values()} == {
        box.id: (ada.id, "Chest", 4, 4),
        crate.id: (ada.id, "Crate", 4, 2),
        gift.id: (bob.id, "Gift", 2, 2),
        bag: (ada.id, "Bag", 2, 1),
        part: (bob.id, "Chest", 2, 1),
    }
    assert (after[bag].description, after[bag].attributes) == ("Jute", {"a": [1]})


async def test_effects_are_those_of_the_given_order(store: Store) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(store, ada, quantity=1)
    results = await batch(
        store,
        ada,
        UpdateItem(item_id=box.id, quantity=5),
        CreateItem(name="One"),
        CreateItem(name="Two"),
        CreateItem(name="Three"),
        UpdateItem(item_id=box.id, name="Lid", version=2),
        CreateItem(name="Four"),
        UpdateItem(item_id=box.id, name="Lid", version=3),
    )
    assert [result.version for result in results] == [2, 1, 1, 1, 3, 1, 3]
    after = await every_item(store)
    assert [item.name for item in after] == ["Lid", "One", "Two", "Three", "Four"]
    lid, one, two, three, four = (item.id for item in after)
    assert [result.item_id for result in results] == [lid, one, two, three, lid, four, lid]


async def test_an_item_that_is_deleted_is_gone_for_the_operations_behind(store: Store) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(store, ada)
    again = [DeleteItem(item_id=box.id), DeleteItem(item_id=box.id)]
    assert await refusal(store, ada, again) == (1, ItemNotFound)
    assert await every_item(store) == [box]


async def test_an_admin_creates_for_others_in_one_batch(store: Store) -> None:
    root = await given_user(store, "root", role=Role.ADMIN)
    people = [await given_user(store, name) for name in ("ada", "bob")]
    await batch(store, root, *(CreateItem(name="Box", owner_id=user.id) for user in people), CreateItem(name="Box"))
    assert [item.owner_id for item in await every_item(store)] == [*(user.id for user in people), root.id]


# What can be refused, by what is there: Ada's box of 3 and lid, Bob's crate.
REFUSED: dict[str, tuple[Any, type[StewardError]]] = {
    "an invalid creation": (lambda box, lid, crate: CreateItem(name=""), InvalidValue),
    "a creation for another": (lambda box, lid, crate: CreateItem(name="Box", owner_id=crate.owner_id), Forbidden),
    "a change of nothing": (lambda box, lid, crate: UpdateItem(item_id=NOWHERE, name="Box"), ItemNotFound),
    "a change of another's": (lambda box, lid, crate: UpdateItem(item_id=crate.id, name="Box"), ItemNotFound),
    "an invalid change": (lambda box, lid, crate: UpdateItem(item_id=box.id, quantity=-1), InvalidValue),
    "a change of an old version": (lambda box, lid, crate: UpdateItem(item_id=box.id, version=7), VersionMismatch),
    "a deletion of nothing": (lambda box, lid, crate: DeleteItem(item_id=NOWHERE), ItemNotFound),
    "a deletion of another's": (lambda box, lid, crate: DeleteItem(item_id=crate.id), ItemNotFound),
    "a deletion of an old version": (lambda box, lid, crate: DeleteItem(item_id=box.id, version=7), VersionMismatch),
    "a transfer of nothing": (lambda box, lid, crate: TransferItem(item_id=NOWHERE, to="bob"), ItemNotFound),
    "a transfer to nobody": (lambda box, lid, crate: TransferItem(item_id=box.id, to="nobody"), UnknownRecipient),
    "a transfer into another's": (
        lambda box, lid, crate: TransferItem(item_id=box.id, to=ToItem(crate.id)),
        UnknownRecipient,
    ),
    "a transfer into itself": (lambda box, lid, crate: TransferItem(item_id=box.id, to=ToItem(box.id)), SameItem),
    "a transfer of too many": (
        lambda box, lid, crate: TransferItem(item_id=box.id, to="bob", quantity=4),
        InsufficientQuantity,
    ),
    "a transfer of none": (lambda box, lid, crate: TransferItem(item_id=box.id, to="bob", quantity=0), InvalidValue),
    "a transfer beyond what fits": (
        lambda box, lid, crate: TransferItem(item_id=box.id, to=ToItem(lid.id)),
        QuantityOverflow,
    ),
    "a transfer of an old version": (
        lambda box, lid, crate: TransferItem(item_id=box.id, to="bob", version=7),
        VersionMismatch,
    ),
}


async def test_the_first_operation_that_is_refused_ends_the_batch_and_nothing_is_stored(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, lid = await given_item(store, ada, quantity=3), await given_item(store, ada, quantity=MAX_QUANTITY)
    crate = await given_item(store, bob)
    tray = await given_item(store, ada, quantity=2)
    good: list[Operation] = [
        CreateItem(name="One"),
        CreateItem(name="Two"),
        TransferItem(item_id=tray.id, to="bob", quantity=1),
        UpdateItem(item_id=tray.id, name="Dish"),
    ]
    bad = DeleteItem(item_id=NOWHERE)  # it stands behind all others, and would be refused as well
    for position in range(5):
        for name, (make, error) in REFUSED.items():
            operations = [*good[:position], make(box, lid, crate), *good[position:], bad]
            assert (name, await refusal(store, ada, operations)) == (name, (position, error))
    assert await every_item(store) == [box, lid, crate, tray]


@pytest.mark.parametrize("wrong", [[0], [1], [2], [1, 2], [0, 1, 2]])
async def test_which_of_neighbouring_creations_names_an_unknown_owner_is_found_out(
    store: Store, wrong: list[int]
) -> None:
    root = await given_user(store, "root", role=Role.ADMIN)
    creations = [CreateItem(name="Box", owner_id=UserId(4711 if n in wrong else root.id)) for n in range(3)]
    operations = [CreateItem(name="Before"), *creations, CreateItem(name="Behind")]
    assert await refusal(store, root, operations) == (wrong[0] + 1, UnknownOwner)
    assert await every_item(store) == []


async def test_an_unknown_owner_comes_before_an_invalid_creation_behind_it(store: Store) -> None:
    root = await given_user(store, "root", role=Role.ADMIN)
    unknown, invalid = CreateItem(name="Box", owner_id=UserId(4711)), CreateItem(name="")
    assert await refusal(store, root, [CreateItem(name="Box"), unknown, invalid]) == (1, UnknownOwner)
    assert await refusal(store, root, [CreateItem(name="Box"), invalid, unknown]) == (1, InvalidValue)
    assert await every_item(store) == []


async def test_who_is_nobody_in_particular_runs_no_batch(store: Store) -> None:
    box = await given_item(store, await given_user(store, "ada"))
    with pytest.raises(NotAuthenticated):
        await run_batch(store.unit_of_work(), Actor.anonymous(), operations=[DeleteItem(item_id=box.id)])


@pytest.mark.parametrize(("number", "rule"), [(0, "too_short"), (1001, "too_long")])
async def test_a_batch_has_one_to_a_thousand_operations(store: Store, number: int, rule: str) -> None:
    ada = await given_user(store, "ada")
    with pytest.raises(InvalidValue) as caught:
        await batch(store, ada, *[CreateItem(name="Box")] * number)
    assert (caught.value.field, caught.value.rule) == ("operations", rule)
    assert await every_item(store) == []


async def test_a_thousand_operations_are_done(store: Store) -> None:
    ada = await given_user(store, "ada")
    results = await batch(store, ada, *(CreateItem(name="Box", quantity=number) for number in range(1000)))
    after = await every_item(store)
    assert [(item.id, item.quantity) for item in after] == [
        (result.item_id, number) for number, result in enumerate(results)
    ]


@pytest.mark.parametrize("kind", ["update", "delete", "transfer", "creation"])
async def test_where_versions_have_to_be_named_only_creations_go_without(store: Store, kind: str) -> None:
    ada = await given_user(store, "ada")
    await given_user(store, "bob")
    box = await given_item(store, ada)
    kinds: dict[str, Any] = {
        "update": lambda version: UpdateItem(item_id=box.id, name="Lid", version=version),
        "delete": lambda version: DeleteItem(item_id=box.id, version=version),
        "transfer": lambda version: TransferItem(item_id=box.id, to="bob", version=version),
        "creation": lambda version: CreateItem(name="Lid"),
    }
    uow = store.unit_of_work()
    if kind != "creation":
        with pytest.raises(OperationFailed) as caught:
            await run_batch(
                uow,
                Actor.of(ada),
                operations=[CreateItem(name="Lid"), kinds[kind](None)],
                must_name_versions=True,
            )
        assert (caught.value.index, type(caught.value.error)) == (1, VersionRequired)
        assert await every_item(store) == [box]
    await run_batch(uow, Actor.of(ada), operations=[kinds[kind](1)], must_name_versions=True)
    assert await every_item(store) != [box]


async def test_a_batch_that_joins_is_committed_with_what_is_around_it(store: Store) -> None:
    ada = await given_user(store, "ada")
    async with store.unit_of_work() as uow:
        box = await items.create_item(uow, Actor.of(ada), name="Box")
        await run_batch(uow, Actor.of(ada), operations=[UpdateItem(item_id=box.id, name="Lid"), CreateItem(name="Bag")])
        await uow.commit()
    assert [item.name for item in await every_item(store)] == ["Lid", "Bag"]


async def test_a_batch_may_fail_in_a_savepoint_and_leave_what_is_around_it(store: Store) -> None:
    ada = await given_user(store, "ada")
    async with store.unit_of_work() as uow:
        await items.create_item(uow, Actor.of(ada), name="Box")
        with pytest.raises(OperationFailed):
            async with uow.savepoint():
                await run_batch(uow, Actor.of(ada), operations=[CreateItem(name="Bag"), DeleteItem(item_id=NOWHERE)])
        await uow.commit()
    assert [item.name for item in await every_item(store)] == ["Box"]
