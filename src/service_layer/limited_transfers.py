"""Transfers, limited where they tell whether a name exists."""

from ..domain.actors import Actor
from ..domain.errors import UnknownRecipient
from ..domain.items import ItemId, Recipient, ToItem, Transfer
from .items import transfer_item
from .limits import Limits, count_attempts, refuse_beyond_limit
from .retry import run
from .unit_of_work import UnitOfWork


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
    """As `transfer_item`, on a unit of work that is not open. A transfer to a user who is not there is counted, and
    nothing else is; beyond the limit even one to a user who is there is refused, or the refusal would tell.

    Raises `RateLimited` beside what `transfer_item` raises.
    """
    attempts = [] if isinstance(to, ToItem) else limits.recipient(actor)
    if attempts:
        await refuse_beyond_limit(uow, actor, attempts=attempts)
    try:
        return await run(uow, transfer_item, actor, item_id=item_id, to=to, quantity=quantity, version=version)
    except UnknownRecipient:
        await run(uow, count_attempts, actor, attempts=attempts)
        raise
