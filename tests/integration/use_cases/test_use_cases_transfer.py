"""Transfers: all shapes of `to` and `quantity`, in every backend. The sum never changes."""

from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import (
    InsufficientQuantity,
    InvalidValue,
    ItemNotFound,
    QuantityOverflow,
    SameItem,
    StewardError,
    UnknownRecipient,
    VersionMismatch,
)
from steward.domain.items import MAX_QUANTITY, Item, ItemId, ToItem
from steward.domain.users import Role, UserId
from steward.service_layer import items

from tests.support.given import SYSTEM, Store, every_item, given_item, given_user


def shown(item: Item) -> tuple[int, int, int, int]:
    return item.id, item.owner_id, item.quantity, item.version


@pytest.mark.parametrize("to", ["username", "variant of the username", "user id"])
@pytest.mark.parametrize("quantity", [None, 3])
async def test_all_of_an_item_moves_the_item_itself(store: Store, to: str, quantity: int | None) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box = await given_item(store, ada, quantity=3, description="Oak", attributes={"b": 1, "a": 2})
    recipient: Any = {"username": "bob", "variant of the username": "ＢＯＢ", "user id": bob.id}[to]
    transfer = await items.transfer_item(
        store.unit_of_work(), Actor.of(ada), item_id=box.id, to=recipient, quantity=quantity
    )
    assert transfer.item is None
    assert shown(transfer.received) == (box.id, bob.id, 3, 2)
    assert transfer.received.updated_at > transfer.received.created_at == box.created_at
    assert await every_item(store) == [transfer.received]


@pytest.mark.parametrize("to", ["username", "user id"])
async def test_less_than_all_splits_the_item(store: Store, to: str) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box = await given_item(store, ada, quantity=3, description="Oak", attributes={"b": 1, "a": [2]})
    recipient: Any = {"username": "bob", "user id": bob.id}[to]
    transfer = await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=box.id, to=recipient, quantity=2)
    assert transfer.item is not None
    assert shown(transfer.item) == (box.id, ada.id, 1, 2)
    part = transfer.received
    assert (part.owner_id, part.quantity, part.version, part.created_at) == (bob.id, 2, 1, part.updated_at)
    assert (part.name, part.description, list(part.attributes.items())) == ("Box", "Oak", [("b", 1), ("a", [2])])
    assert part.id > box.id
    assert await every_item(store) == [transfer.item, part]


async def test_an_item_of_which_there_is_none_moves_whole(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box = await given_item(store, ada, quantity=0)
    transfer = await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=box.id, to="bob")
    assert transfer.item is None
    assert shown(transfer.received) == (box.id, bob.id, 0, 2)


@pytest.mark.parametrize(("quantity", "left"), [(None, 0), (3, 0), (1, 2)])
async def test_into_another_item_the_quantity_is_added_there_and_taken_here(
    store: Store, quantity: int | None, left: int
) -> None:
    ada = await given_user(store, "ada")
    box, crate = await given_item(store, ada, quantity=3), await given_item(store, ada, name="Crate", quantity=5)
    transfer = await items.transfer_item(
        store.unit_of_work(), Actor.of(ada), item_id=box.id, to=ToItem(crate.id), quantity=quantity
    )
    assert transfer.item is not None
    assert shown(transfer.item) == (box.id, ada.id, left, 2)
    assert shown(transfer.received) == (crate.id, ada.id, 8 - left, 2)
    assert await every_item(store) == [transfer.item, transfer.received]


async def test_into_an_older_item_works_alike(store: Store) -> None:
    ada = await given_user(store, "ada")
    older, newer = await given_item(store, ada, quantity=5), await given_item(store, ada, quantity=3)
    await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=newer.id, to=ToItem(older.id), version=1)
    assert [shown(item) for item in await every_item(store)] == [(older.id, ada.id, 8, 2), (newer.id, ada.id, 0, 2)]


async def test_an_item_is_filled_up_to_the_limit_and_not_beyond(store: Store) -> None:
    ada = await given_user(store, "ada")
    box, crate = await given_item(store, ada, quantity=3), await given_item(store, ada, quantity=MAX_QUANTITY - 2)
    uow = store.unit_of_work()
    with pytest.raises(QuantityOverflow):
        await items.transfer_item(uow, Actor.of(ada), item_id=box.id, to=ToItem(crate.id))
    assert await every_item(store) == [box, crate]
    await items.transfer_item(uow, Actor.of(ada), item_id=box.id, to=ToItem(crate.id), quantity=2)
    assert [item.quantity for item in await every_item(store)] == [1, MAX_QUANTITY]


async def test_nothing_of_an_empty_item_into_another_changes_neither(store: Store) -> None:
    ada = await given_user(store, "ada")
    box, crate = await given_item(store, ada, quantity=0), await given_item(store, ada, quantity=5)
    transfer = await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=box.id, to=ToItem(crate.id))
    assert (transfer.item, transfer.received) == (box, crate)
    assert await every_item(store) == [box, crate]


NO_RECIPIENTS: list[Any] = [
    "nobody",
    "a\0b",
    "a\ud800b",
    "",
    "ada",
    "ADA",
    "gone",
    UserId(10**9),
    UserId(0),
    UserId(2**70),
    ToItem(ItemId(10**9)),
    ToItem(ItemId(2**70)),
]


async def test_a_recipient_that_is_unknown_inactive_or_the_owner_gets_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_user(store, "gone", is_active=False)
    box = await given_item(store, ada, quantity=3)
    for quantity in [None, 1]:
        for to in NO_RECIPIENTS:
            with pytest.raises(UnknownRecipient):
                await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=box.id, to=to, quantity=quantity)
    assert await every_item(store) == [box]


async def test_the_owner_by_id_and_an_inactive_user_by_id_get_nothing(store: Store) -> None:
    ada, gone = await given_user(store, "ada"), await given_user(store, "gone", is_active=False)
    box = await given_item(store, ada)
    for user in (ada, gone):
        with pytest.raises(UnknownRecipient):
            await items.transfer_item(store.unit_of_work(), SYSTEM, item_id=box.id, to=user.id)
    assert await every_item(store) == [box]


REFUSED: list[tuple[str, dict[str, Any], type[StewardError]]] = [
    ("bob", {"quantity": 4}, InsufficientQuantity),
    ("crate", {"quantity": 4}, InsufficientQuantity),
    ("bob", {"quantity": 0}, InvalidValue),
    ("crate", {"quantity": 0}, InvalidValue),
    ("bob", {"quantity": -1}, InvalidValue),
    ("bob", {"quantity": MAX_QUANTITY + 1}, InvalidValue),
    ("bob", {"quantity": True}, InvalidValue),
    ("bob", {"version": 2}, VersionMismatch),
    ("bob", {"version": 2, "quantity": 1}, VersionMismatch),
    ("crate", {"version": 2}, VersionMismatch),
    ("box", {}, SameItem),
    ("box", {"quantity": 1}, SameItem),
]


async def test_a_transfer_that_cannot_be_moves_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_user(store, "bob")
    box, crate = await given_item(store, ada, quantity=3), await given_item(store, ada, quantity=5)
    for to, arguments, error in REFUSED:
        recipient: Any = {"bob": "bob", "crate": ToItem(crate.id), "box": ToItem(box.id)}[to]
        with pytest.raises(StewardError) as caught:
            await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=box.id, to=recipient, **arguments)
        assert type(caught.value) is error
        assert await every_item(store) == [box, crate]


async def test_one_of_an_empty_item_is_more_than_there_is(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_user(store, "bob")
    box = await given_item(store, ada, quantity=0)
    with pytest.raises(InsufficientQuantity, match="1 wanted, but there are 0"):
        await items.transfer_item(store.unit_of_work(), Actor.of(ada), item_id=box.id, to="bob", quantity=1)


async def test_an_item_that_is_not_yours_is_neither_given_nor_filled(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, own = await given_item(store, ada, quantity=3), await given_item(store, bob, quantity=5)
    uow = store.unit_of_work()
    with pytest.raises(ItemNotFound):
        await items.transfer_item(uow, Actor.of(bob), item_id=box.id, to="bob")
    with pytest.raises(ItemNotFound):
        await items.transfer_item(uow, SYSTEM, item_id=ItemId(10**9), to="bob")
    with pytest.raises(UnknownRecipient):
        await items.transfer_item(uow, Actor.of(bob), item_id=own.id, to=ToItem(box.id))
    assert await every_item(store) == [box, own]


async def test_an_admin_transfers_between_any_two(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    root = Actor.of(await given_user(store, "root", role=Role.ADMIN))
    box, own = await given_item(store, ada, quantity=3), await given_item(store, bob, quantity=5)
    uow = store.unit_of_work()
    await items.transfer_item(uow, root, item_id=box.id, to=ToItem(own.id), quantity=1)
    await items.transfer_item(uow, root, item_id=own.id, to="ada", quantity=6)
    assert [shown(item) for item in await every_item(store)] == [(box.id, ada.id, 2, 2), (own.id, ada.id, 6, 3)]


async def test_a_transfer_that_its_caller_does_not_commit_is_none(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_user(store, "bob")
    box = await given_item(store, ada, quantity=3)
    uow = store.unit_of_work()
    async with uow:
        await items.transfer_item(uow, Actor.of(ada), item_id=box.id, to="bob", quantity=1)
    assert await every_item(store) == [box]
