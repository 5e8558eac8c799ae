"""What can be done with users."""

from ..domain.actors import Actor
from ..domain.errors import (
    Forbidden,
    InvalidValue,
    UnknownRecipient,
    UserNotFound,
    UserOwnsItems,
    VersionMismatch,
)
from ..domain.pages import check_limit
from ..domain.partial import UNSET, Unset
from ..domain.users import NewUser, PasswordHash, Role, User, UserId
from .unit_of_work import UnitOfWork


async def register_user(
    uow: UnitOfWork,
    actor: Actor,
    *,
    username: str,
    email: str,
    password_hash: PasswordHash | None = None,
    role: Role = Role.MEMBER,
) -> User:
    """A user without a password hash cannot sign in with a password.

    Raises `InvalidValue`, `UsernameTaken`, `EmailTaken`, and `Forbidden` if someone other than an admin asks for
    another role than member.
    """
    new = NewUser.of(username=username, email=email, password_hash=password_hash, role=role)
    if new.role is not Role.MEMBER and not actor.is_admin:
        raise Forbidden("Only an admin gives roles")
    async with uow:
        user = await uow.users.add(new, at=uow.now)
        await uow.commit()
    return user


async def get_user(uow: UnitOfWork, actor: Actor, *, user_id: UserId) -> User:
    """Raises `UserNotFound`, also for a user that is not the actor's to see."""
    if not actor.may_act_for(user_id):
        raise UserNotFound(user_id)
    async with uow.reading():
        return await uow.users.get(user_id)


async def list_users(uow: UnitOfWork, actor: Actor, *, before: UserId | None = None, limit: int = 50) -> list[User]:
    """At most `limit` users with ids below `before`, the newest first.

    Raises `Forbidden` unless an admin asks, and `InvalidValue` for a limit below 1.
    """
    if not actor.is_admin:
        raise Forbidden("Only an admin lists users")
    check_limit(limit)
    async with uow.reading():
        return await uow.users.page(before=before, limit=limit)


async def update_user(
    uow: UnitOfWork,
    actor: Actor,
    *,
    user_id: UserId,
    username: str | Unset = UNSET,
    email: str | Unset = UNSET,
    role: Role | Unset = UNSET,
    is_active: bool | Unset = UNSET,
    version: int | None = None,
) -> User:
    """Change what is given; a change of nothing keeps version and `updated_at`.

    `version` is the one that the caller saw: `VersionMismatch` if it is gone. Raises `UserNotFound`,
    `InvalidValue`, `UsernameTaken`, `EmailTaken`, and `Forbidden` if someone other than an admin changes `role` or
    `is_active`.
    """
    if not actor.may_act_for(user_id):
        raise UserNotFound(user_id)
    if not actor.is_admin and (role is not UNSET or is_active is not UNSET):
        raise Forbidden("Only an admin changes role and is_active")
    async with uow:
        user = await uow.users.get(user_id)
        _require(user, version)
        if user.change(at=uow.now, username=username, email=email, role=role, is_active=is_active):
            await uow.users.save(user, named=version)
        await uow.commit()
    return user


async def delete_user(
    uow: UnitOfWork,
    actor: Actor,
    *,
    user_id: UserId,
    delete_items: bool = False,
    transfer_items_to: UserId | None = None,
    version: int | None = None,
) -> bool:
    """Say whether there was such a user to delete.

    With items left it raises `UserOwnsItems`, unless they are to be deleted, or to be handed to another active
    user (`UnknownRecipient` if there is none). Raises `VersionMismatch` as `update_user`.
    """
    if delete_items and transfer_items_to is not None:
        raise InvalidValue("transfer_items_to", "contradiction", "Items are either deleted or transferred")
    if not actor.may_act_for(user_id):
        return False
    async with uow:
        try:
            # Holds off whoever would give this user an item between the two statements below.
            user = await uow.users.get(user_id, for_update=True)
        except UserNotFound:
            return False
        _require(user, version)
        if delete_items:
            await uow.items.delete_all_of(user_id)
        elif transfer_items_to is not None:
            await _require_recipient(uow, transfer_items_to, giver=user_id)
            await uow.items.hand_over_all_of(user_id, to=transfer_items_to, at=uow.now)
        elif await uow.items.page(owner_id=user_id, limit=1):
            raise UserOwnsItems(user_id)
        await uow.users.delete(user, named=version)
        await uow.commit()
    return True


async def _require_recipient(uow: UnitOfWork, user_id: UserId, *, giver: UserId) -> None:
    try:
        recipient = await uow.users.get(user_id)
    except UserNotFound:
        raise UnknownRecipient from None
    if not recipient.is_active or recipient.id == giver:
        raise UnknownRecipient


def _require(user: User, version: int | None) -> None:
    if version is not None and user.version != version:
        raise VersionMismatch
