"""Many changes of items in one transaction, all or nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from ..domain.actors import Actor
from ..domain.batch_operations import CreateItem, DeleteItem, Operation, OperationResult, TransferItem, UpdateItem
from ..domain.errors import (
    Forbidden,
    InvalidValue,
    ItemNotFound,
    NotFound,
    OperationFailed,
    Refused,
    VersionMismatch,
    VersionRequired,
)
from ..domain.items import ItemId, NewItem, Recipient, ToItem
from ..domain.versions import Condition, Expected
from .items import delete_item, new_item, transfer_item, update_item
from .unit_of_work import UnitOfWork

MOST_OPERATIONS = 1000

# What one operation is refused for. Whatever else may be raised is about the whole transaction, or about who asks.
_REFUSALS = (Forbidden, InvalidValue, NotFound, Refused, VersionMismatch, VersionRequired)


async def run_batch(
    uow: UnitOfWork, actor: Actor, *, operations: Sequence[Operation], must_name_versions: bool = False
) -> list[OperationResult]:
    """Do 1 to `MOST_OPERATIONS` operations in the order given, all or none, and return what came of each.

    With `must_name_versions` whatever changes or deletes an item has to name the version that was seen. Raises
    `OperationFailed` for the first that fails, `NotAuthenticated`, and `InvalidValue` for too few or too many.
    """
    actor.require_signed_in()
    if not operations:
        raise InvalidValue("operations", "too_short", "At least 1 operation")
    if len(operations) > MOST_OPERATIONS:
        raise InvalidValue("operations", "too_long", f"At most {MOST_OPERATIONS} operations")
    results: list[OperationResult] = []
    async with uow:
        if changed := _changed_by(operations):
            await uow.items.lock(changed, owner_id=None if actor.is_admin else actor.user_id)
        for creates, neighbours in groupby(operations, key=lambda each: isinstance(each, CreateItem)):
            if creates:
                some = [operation for operation in neighbours if isinstance(operation, CreateItem)]
                results += await _create_all(uow, actor, some, first=len(results))
                continue
            for operation in neighbours:
                with _refusals_of(len(results)):
                    results.append(await _change(uow, actor, operation, must_name=must_name_versions))
        await uow.commit()
    return results


def recipients_of(operations: Sequence[Operation]) -> list[Recipient]:
    return [operation.to for operation in operations if isinstance(operation, TransferItem)]


def _changed_by(operations: Sequence[Operation]) -> set[ItemId]:
    """Locked beforehand: two batches would come to the same items in different orders, and dead-lock."""
    changed: set[ItemId] = set()
    for operation in operations:
        if not isinstance(operation, CreateItem):
            changed.add(operation.item_id)
        if isinstance(operation, TransferItem) and isinstance(operation.to, ToItem):
            changed.add(operation.to.item_id)
    return changed


@contextmanager
def _refusals_of(index: int) -> Iterator[None]:
    """What is raised inside is what this operation is refused for."""
    try:
        yield
    except _REFUSALS as error:
        raise OperationFailed(index, error) from error


async def _create_all(
    uow: UnitOfWork, actor: Actor, operations: Sequence[CreateItem], *, first: int
) -> list[OperationResult]:
    """Neighbouring creations, from the one at index `first` on, as one insertion."""
    new: list[NewItem] = []
    refused: OperationFailed | None = None
    try:
        for index, operation in enumerate(operations, first):
            with _refusals_of(index):
                new.append(
                    new_item(
                        actor,
                        name=operation.name,
                        description=operation.description,
                        quantity=operation.quantity,
                        attributes=operation.attributes,
                        owner_id=operation.owner_id,
                    )
                )
    except OperationFailed as error:
        refused = error
    ids = await _add_all(uow, new, first=first)
    if refused is not None:  # only now: one of those before it may have failed
        raise refused
    return [OperationResult(item_id, 1) for item_id in ids]


async def _add_all(uow: UnitOfWork, new: Sequence[NewItem], *, first: int) -> list[ItemId]:
    if len(new) > 1:
        try:
            async with uow.savepoint():
                return await uow.items.add_many(new, at=uow.now)
        except InvalidValue:
            pass  # which one it was, they tell one by one
    ids = []
    for index, each in enumerate(new, first):
        with _refusals_of(index):
            ids.append((await uow.items.add(each, at=uow.now)).id)
    return ids


async def _change(uow: UnitOfWork, actor: Actor, operation: Operation, *, must_name: bool) -> OperationResult:
    assert not isinstance(operation, CreateItem), "these are many at a time"
    item_id, version = operation.item_id, _expected(operation.version, must_name=must_name)
    match operation:
        case UpdateItem():
            item = await update_item(
                uow,
                actor,
                item_id=item_id,
                name=operation.name,
                description=operation.description,
                quantity=operation.quantity,
                attributes=operation.attributes,
                version=version,
            )
            return OperationResult(item_id, item.version)
        case DeleteItem():
            if not await delete_item(uow, actor, item_id=item_id, version=version):
                raise ItemNotFound(item_id)
            return OperationResult(item_id, None)
        case TransferItem():
            moved = await transfer_item(
                uow, actor, item_id=item_id, to=operation.to, quantity=operation.quantity, version=version
            )
            if moved.item is None:
                return OperationResult(item_id, moved.received.version)
            received_id = None if isinstance(operation.to, ToItem) else moved.received.id
            return OperationResult(item_id, moved.item.version, received_id)


def _expected(version: int | None, *, must_name: bool) -> Expected:
    return Condition(is_missing=True) if version is None and must_name else version
