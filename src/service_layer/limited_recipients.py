"""Handing items over to users by name or id is limited where the answer tells whether such a user is there.

Such a refusal is counted, and nothing else is; beyond the limit even what would succeed is refused, or the refusal
would tell. Of requests that are under way at the same time a few more than the quota may learn something.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ..domain.actors import Actor
from ..domain.errors import OperationFailed, UnknownRecipient
from ..domain.items import Recipient, ToItem
from .limits import Limits, count_attempts, refuse_beyond_limit
from .retry import run
from .unit_of_work import UnitOfWork


@asynccontextmanager
async def limited_recipients(
    uow: UnitOfWork, actor: Actor, recipients: Sequence[Recipient], *, limits: Limits
) -> AsyncIterator[None]:
    """Around whatever hands items over to these; items among them need no limit. `uow` is not open outside.

    Raises `RateLimited`.
    """
    to_users = [recipient for recipient in recipients if not isinstance(recipient, ToItem)]
    attempts = limits.recipient(actor) if to_users else []
    if attempts:
        await refuse_beyond_limit(uow, actor, attempts=attempts)
    try:
        yield
    except (UnknownRecipient, OperationFailed) as error:
        if isinstance(error, UnknownRecipient) or isinstance(error.error, UnknownRecipient):
            await run(uow, count_attempts, actor, attempts=attempts)
        raise
