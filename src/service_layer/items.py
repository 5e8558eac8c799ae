"""What can be done with one item."""

from collections.abc import Mapping
from typing import Any

from ..domain.actors import Actor
from ..domain.errors import (
    Forbidden,
    InvalidValue,
    ItemNotFound,
    SameItem,
    UnknownOwner,
    UnknownRecipient,
    UserNotFound,
)
from ..domain.items import Item, ItemId, NewItem, OwnedItem, Recipient, ToItem, Transfer, check_quantity
from ..domain.partial import UNSET, Unset
from ..domain.users import User, UserId
from ..domain.versions import Expected, check_version, exact_version
from .unit_of_work import UnitOfWork


async def create_item(
    uow: UnitOfWork,
    actor: Actor,
    *,
    name: str,
    description: str | None = None,
    quantity: int = 1,
    attributes: Mapping[str, Any] | None = None,
    owner_id: UserId | None = None,
) -> Item:
    """The owner is the actor, or whom an admin names.

    Raises `NotAuthenticated`, `InvalidValue`, `UnknownOwner`, `Forbidden`.
    """
    new = new_item(
        actor, name=name, description=description, quantity=quantity, attributes=attributes, owner_id=owner_id
    )
    async with uow:
        item = await uow.items.add(new, at=uow.now)
        await uow.commit()
    return item


def new_item(
    actor: Actor,
    *,
    name: str,
    description: str | None = None,
    quantity: int = 1,
    attributes: Mapping[str, Any] | None = None,
    owner_id: UserId | None = None,
) -> NewItem:
    """What `create_item` stores. Raises `NotAuthenticated`, `InvalidValue`, `Forbidden`."""
    actor.require_signed_in()
    if owner_id is None:
        owner_id = actor.user_id
    if owner_id is None:
        raise InvalidValue("owner_id", "missing", "The system owns nothing: say who owns the item")
    if not actor.may_act_for(owner_id):
        raise Forbidden("Only an admin creates items for others")
    return NewItem.of(owner_id=owner_id, name=name, description=description, quantity=quantity, attributes=attributes)


async def get_item(uow: UnitOfWork, actor: Actor, *, item_id: ItemId) -> Item:
    """Raises `ItemNotFound`, also for an item that is not the actor's to see."""
    async with uow.reading():
        return await _get_own(uow, actor, item_id)


async def get_item_with_owner(uow: UnitOfWork, actor: Actor, *, item_id: ItemId) -> OwnedItem:
    """As `get_item`, in one statement together with what others may see of the owner."""
    async with uow.reading():
        owned = await uow.items.get_with_owner(item_id)
    if not actor.may_act_for(owned.item.owner_id):
        raise ItemNotFound(item_id)
    return owned


async def update_item(
    uow: UnitOfWork,
    actor: Actor,
    *,
    item_id: ItemId,
    name: str | Unset = UNSET,
    description: str | None | Unset = UNSET,
    quantity: int | Unset = UNSET,
    attributes: Mapping[str, Any] | Unset = UNSET,
    version: Expected = None,
) -> Item:
    """Change what is given (`attributes` as an RFC 7396 merge patch); a change of nothing keeps the version.

    `version` is the one that the caller saw, or a condition on it: `VersionMismatch` if it is gone, `VersionRequired`
    if one has to be named. Raises `ItemNotFound`, `InvalidValue`.
    """
    async with uow:
        item = await _get_own(uow, actor, item_id)
        check_version(item.version, version)
        if item.change(at=uow.now, name=name, description=description, quantity=quantity, attributes=attributes):
            await uow.items.save(item, expected_version=exact_version(version))
        await uow.commit()
    return item


async def delete_item(uow: UnitOfWork, actor: Actor, *, item_id: ItemId, version: Expected = None) -> bool:
    """Say whether there was such an item to delete. As to `version` see `update_item`."""
    async with uow:
        try:
            item = await _get_own(uow, actor, item_id)
        except ItemNotFound:
            return False
        check_version(item.version, version)
        await uow.items.delete(item, expected_version=exact_version(version))
        await uow.commit()
    return True


async def transfer_item(
    uow: UnitOfWork,
    actor: Actor,
    *,
    item_id: ItemId,
    to: Recipient,
    quantity: int | None = None,
    version: Expected = None,
) -> Transfer:
    """Move an item, or a part of its quantity, to a user or into another item; the sum never changes.

    To a user: all of it moves the item itself, less splits it. Into an item: `quantity` (default all) is added
    there and taken here, where 0 may remain. Raises `ItemNotFound`, `InvalidValue` (a quantity below 1),
    `UnknownRecipient`, `SameItem`, `InsufficientQuantity`, `QuantityOverflow`; as to `version` see `update_item`.
    """
    if quantity is not None:
        check_quantity(quantity, least=1)
    async with uow:
        item = await _get_own(uow, actor, item_id)
        check_version(item.version, version)
        if isinstance(to, ToItem):
            transfer = await _transfer_into(uow, actor, item, to.item_id, quantity, version)
        else:
            transfer = await _transfer_to_user(uow, item, to, quantity, version)
        await uow.commit()
    return transfer


async def _transfer_to_user(
    uow: UnitOfWork, item: Item, to: str | UserId, quantity: int | None, version: Expected
) -> Transfer:
    recipient = await _find_recipient(uow, to)
    if recipient is None or not recipient.is_active or recipient.id == item.owner_id:
        raise UnknownRecipient
    if quantity is None or quantity == item.quantity:
        item.hand_to(recipient.id, at=uow.now)
        await uow.items.save(item, expected_version=exact_version(version))
        return Transfer(item=None, received=item)
    item.take(quantity, at=uow.now)
    await uow.items.save(item, expected_version=exact_version(version))
    part = NewItem.split_from(item, owner_id=recipient.id, quantity=quantity)
    try:
        received = await uow.items.add(part, at=uow.now)
    except UnknownOwner:  # the recipient has been deleted since it was looked up
        raise UnknownRecipient from None
    return Transfer(item=item, received=received)


async def _transfer_into(
    uow: UnitOfWork, actor: Actor, item: Item, to: ItemId, quantity: int | None, version: Expected
) -> Transfer:
    if to == item.id:
        raise SameItem
    try:
        target = await _get_own(uow, actor, to)
    except ItemNotFound:
        raise UnknownRecipient from None
    moved = item.quantity if quantity is None else quantity
    if moved:
        item.take(moved, at=uow.now)
        target.put(moved, at=uow.now)
        # In id order, so that two transfers in opposite directions wait for each other instead of dead-locking.
        for changed in sorted((item, target), key=lambda each: each.id):
            await uow.items.save(changed, expected_version=exact_version(version) if changed is item else None)
    return Transfer(item=item, received=target)


async def _find_recipient(uow: UnitOfWork, to: str | UserId) -> User | None:
    if isinstance(to, str):
        return await uow.users.find(to)
    try:
        return await uow.users.get(to)
    except UserNotFound:
        return None


async def _get_own(uow: UnitOfWork, actor: Actor, item_id: ItemId) -> Item:
    item = await uow.items.get(item_id)
    if not actor.may_act_for(item.owner_id):
        raise ItemNotFound(item_id)
    return item
