"""What hands items over to a user by name or id, limited where the answer tells whether that user is there.

Such a refusal is counted, and nothing else is; beyond the limit even what would succeed is refused, or the refusal
would tell. Of requests that are under way at the same time a few more than the quota may learn something.

These take a unit of work that is not open.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ..domain.actors import Actor
from ..domain.errors import UnknownRecipient
from ..domain.items import ItemId, Recipient, ToItem, Transfer
from ..domain.users import UserId
from .items import transfer_item
from .limits import Attempt, Limits, count_attempts, refuse_beyond_limit
from .retry import run
from .unit_of_work import UnitOfWork
from .users import delete_user


async def transfer_within_limits(
    uow: UnitOfWork,
    actor: Actor,
    *,
    limits: Limits,
    item_id: ItemId,
    to: Recipient,
    quantity: int | None = None,
    version: int | None = None,
) -> Transfer:
    """As `transfer_item`. Raises `RateLimited`, too."""
    async with _limited(uow, actor, [] if isinstance(to, ToItem) else limits.recipient(actor)):
        return await run(uow, transfer_item, actor, item_id=item_id, to=to, quantity=quantity, version=version)


async def delete_user_within_limits(
    uow: UnitOfWork,
    actor: Actor,
    *,
    limits: Limits,
    user_id: UserId,
    delete_items: bool = False,
    transfer_items_to: UserId | None = None,
    version: int | None = None,
) -> bool:
    """As `delete_user`. Raises `RateLimited`, too."""
    async with _limited(uow, actor, [] if transfer_items_to is None else limits.recipient(actor)):
        return await run(
            uow,
            delete_user,
            actor,
            user_id=user_id,
            delete_items=delete_items,
            transfer_items_to=transfer_items_to,
            version=version,
        )


@asynccontextmanager
async def _limited(uow: UnitOfWork, actor: Actor, attempts: Sequence[Attempt]) -> AsyncIterator[None]:
    if attempts:
        await refuse_beyond_limit(uow, actor, attempts=attempts)
    try:
        yield
    except UnknownRecipient:
        await run(uow, count_attempts, actor, attempts=attempts)
        raise
