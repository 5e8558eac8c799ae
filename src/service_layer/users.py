"""What can be done with users."""

from collections.abc import Sequence

from ..domain.actors import Actor
from ..domain.attempts import Counter
from ..domain.errors import (
    Forbidden,
    InvalidValue,
    LastAdmin,
    PasswordReplaced,
    RegistrationClosed,
    UnknownRecipient,
    UserNotFound,
    UserOwnsItems,
)
from ..domain.filters import ItemFilter
from ..domain.partial import UNSET, Unset
from ..domain.users import NewUser, PasswordHash, Role, User, UserId
from ..domain.versions import Expected, check_version, exact_version
from .unit_of_work import UnitOfWork


async def register_user(
    uow: UnitOfWork,
    actor: Actor,
    *,
    username: str,
    email: str,
    password_hash: PasswordHash | None = None,
    role: Role = Role.MEMBER,
    open_to_all: bool = True,
) -> User:
    """A user without a password hash cannot sign in with a password.

    Raises `InvalidValue`, `UsernameTaken`, `EmailTaken`, `RegistrationClosed` if someone other than an admin asks
    while it is not `open_to_all`, and `Forbidden` if they ask for another role than member.
    """
    if not (open_to_all or actor.is_admin):
        raise RegistrationClosed
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


async def find_user(uow: UnitOfWork, actor: Actor, *, name: str) -> User:
    """By username or by e-mail address, in any case; no username has an `@` in it.

    Raises `UserNotFound`, also for a user that is not the actor's to see.
    """
    async with uow.reading():
        user = await (uow.users.find_by_email(name) if "@" in name else uow.users.find(name))
    if user is None or not actor.may_act_for(user.id):
        raise UserNotFound(name)
    return user


async def update_user(
    uow: UnitOfWork,
    actor: Actor,
    *,
    user_id: UserId,
    username: str | Unset = UNSET,
    email: str | Unset = UNSET,
    role: Role | Unset = UNSET,
    is_active: bool | Unset = UNSET,
    version: Expected = None,
) -> User:
    """Change what is given; a change of nothing keeps version and `updated_at`.

    `version` is the one that the caller saw, or a condition on it: `VersionMismatch` if it is gone, `VersionRequired`
    if one has to be named. Raises `UserNotFound`,
    `InvalidValue`, `UsernameTaken`, `EmailTaken`, `LastAdmin` if no active admin would remain, and `Forbidden` if
    someone other than an admin changes `role` or `is_active`. The sessions of a user who is no longer active end.
    """
    if not actor.may_act_for(user_id):
        raise UserNotFound(user_id)
    if not actor.is_admin and (role is not UNSET or is_active is not UNSET):
        raise Forbidden("Only an admin changes role and is_active")
    async with uow:
        user = await uow.users.get(user_id)
        check_version(user.version, version)
        was_active_admin = user.is_active_admin
        if user.change(at=uow.now, username=username, email=email, role=role, is_active=is_active):
            if was_active_admin and not user.is_active_admin:
                await _require_another_admin(uow, user)
            await uow.users.save(user, expected_version=exact_version(version))
            if not user.is_active:
                await uow.login_sessions.end_all_of(user.id)
        await uow.commit()
    return user


async def set_password(
    uow: UnitOfWork,
    actor: Actor,
    *,
    user_id: UserId,
    password_hash: PasswordHash,
    instead_of: PasswordHash | None | Unset = UNSET,
    counted: Sequence[Counter] = (),
) -> None:
    """Every session of the user ends, but for the one in which the actor asks.

    `instead_of` is the one that was verified: `PasswordReplaced` if it is there no more. What was `counted` for the
    attempt is taken back. Raises `UserNotFound`.
    """
    if not (actor.is_system or actor.user_id == user_id):
        raise UserNotFound(user_id)
    async with uow:
        user = await uow.users.get(user_id)
        if instead_of is not UNSET and user.password_hash != instead_of:
            raise PasswordReplaced
        user.change(at=uow.now, password_hash=password_hash)
        await uow.users.save(user)
        await uow.login_sessions.end_all_of(user_id, but=actor.session_id)
        await uow.attempts.take_back(counted)
        await uow.commit()


async def delete_user(
    uow: UnitOfWork,
    actor: Actor,
    *,
    user_id: UserId,
    delete_items: bool = False,
    transfer_items_to: UserId | None = None,
    version: Expected = None,
) -> bool:
    """Say whether there was such a user to delete.

    With items left it raises `UserOwnsItems`, unless they are to be deleted, or to be handed to another active
    user (`UnknownRecipient` if there is none). Raises `LastAdmin`; as to `version` see `update_user`.
    """
    if delete_items and transfer_items_to is not None:
        raise InvalidValue("transfer_items_to", "contradiction", "Items are either deleted or transferred")
    if not actor.may_act_for(user_id):
        return False
    async with uow:
        try:
            user = await uow.users.get(user_id)
            check_version(user.version, version)
            if user.is_active_admin:
                await _require_another_admin(uow, user)
            # Holds off whoever would give this user an item between the two statements below.
            user = await uow.users.get(user_id, for_update=True)
        except UserNotFound:
            return False
        if delete_items:
            await uow.items.delete_all_of(user_id)
        elif transfer_items_to is not None:
            await _require_recipient(uow, transfer_items_to, giver=user_id)
            await uow.items.hand_over_all_of(user_id, to=transfer_items_to, at=uow.now)
        elif await uow.items.page(ItemFilter(owner_id=user_id), limit=1):
            raise UserOwnsItems(user_id)
        await uow.users.delete(user, expected_version=exact_version(version))
        await uow.commit()
    return True


async def _require_another_admin(uow: UnitOfWork, user: User) -> None:
    """Everybody who would take an active admin away locks all of them first, in one order: so two who would take away
    each other wait, instead of both finding one left. Raises `LastAdmin`."""
    admins = await uow.users.lock_active_admins()
    if all(admin == user.id for admin in admins):
        raise LastAdmin


async def _require_recipient(uow: UnitOfWork, user_id: UserId, *, giver: UserId) -> None:
    try:
        recipient = await uow.users.get(user_id)
    except UserNotFound:
        raise UnknownRecipient from None
    if not recipient.is_active or recipient.id == giver:
        raise UnknownRecipient
