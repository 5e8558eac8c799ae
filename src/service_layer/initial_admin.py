"""Whoever is there first: an empty database gets its first admin."""

from ..domain.actors import Actor
from ..domain.errors import EmailTaken, Forbidden, UsernameTaken
from ..domain.users import NewUser, PasswordHash, Role, User
from .unit_of_work import UnitOfWork


async def has_users(uow: UnitOfWork, actor: Actor) -> bool:
    """Raises `Forbidden` unless an admin asks."""
    _require_admin(actor)
    async with uow.reading():
        return not await uow.users.is_empty()


async def create_initial_admin(
    uow: UnitOfWork, actor: Actor, *, username: str, email: str, password_hash: PasswordHash
) -> User | None:
    """None if there is a user already, one that another server made at the same moment included.

    Raises `InvalidValue`, and `Forbidden` unless an admin asks.
    """
    _require_admin(actor)
    new = NewUser.of(username=username, email=email, password_hash=password_hash, role=Role.ADMIN)
    async with uow:
        if not await uow.users.is_empty():
            return None
        try:
            admin = await uow.users.add(new, at=uow.now)
        except (UsernameTaken, EmailTaken):
            return None
        await uow.commit()
    return admin


def _require_admin(actor: Actor) -> None:
    if not actor.is_admin:
        raise Forbidden("Only an admin makes the first admin")
