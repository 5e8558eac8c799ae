"""Many new items at once."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ..domain.actors import Actor
from ..domain.errors import Forbidden
from ..domain.items import NewItem
from .unit_of_work import UnitOfWork

# From the beginning each time it is called, because a conflict makes the whole unit run again.
Pieces = Callable[[], Iterable[Sequence[NewItem]]]


async def import_items(
    uow: UnitOfWork, actor: Actor, *, pieces: Pieces, progress: Callable[[int], None] = lambda _count: None
) -> int:
    """Add all of them or none, and say how many. Each piece is one statement; they are never all held at once.

    `pieces` is read inside the transaction: it must not wait for anything, and should have been read to its end before,
    so that what is wrong with the last piece is known by then. `progress` is called with how many have been added.

    Raises `NotAuthenticated`, `Forbidden` for owners that the actor may not act for, `UnknownOwner`.
    """
    actor.require_signed_in()
    added = 0
    async with uow:
        for piece in pieces():
            if not all(actor.may_act_for(new.owner_id) for new in piece):
                raise Forbidden("Only an admin creates items for others")
            added += len(await uow.items.add_many(piece, at=uow.now))
            progress(added)
            if not piece:  # of blank lines alone: where nothing is added, nothing else lets others have their turn
                await asyncio.sleep(0)
        await uow.commit()
    return added
