"""Signing up, signing in, and changing a password.

None of these is one transaction: an attempt is counted and committed before it is made, and hashing, slow on purpose,
stands between the blocks. So they take a unit of work that is not open, and go through `run` themselves.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..domain.actors import Actor
from ..domain.attempts import Counter
from ..domain.errors import (
    Conflict,
    InvalidCredentials,
    InvalidValue,
    NotAuthenticated,
    OutcomeUnknown,
    PasswordReplaced,
    RegistrationClosed,
    StorageError,
    UserNotFound,
)
from ..domain.login_sessions import Client, Lifetimes
from ..domain.text import check_text
from ..domain.users import LONGEST_TYPED_EMAIL, NewUser, PasswordHash, User, UserId
from . import deadline
from .hashing import Hasher, check_password
from .limits import Attempt, Limits, count_attempts, take_back_attempts
from .login_sessions import begin_login_session, refresh_login_session
from .retry import run
from .tokens import Tokens
from .unit_of_work import UnitOfWork
from .users import find_user, set_password


@dataclass(frozen=True, slots=True)
class Accounts:
    """`open_to_all`: anybody may sign up, not admins alone."""

    hasher: Hasher
    limits: Limits
    lifetimes: Lifetimes
    open_to_all: bool

    async def prepare_sign_up(
        self, uow: UnitOfWork, actor: Actor, *, username: str, email: str, password: str, client: Client
    ) -> dict[str, Any]:
        """What comes before `register_user`: its arguments. Admins are not limited; of others, each attempt counts,
        because its answer tells whether the name is taken.

        Raises `InvalidValue`, `RegistrationClosed`, `RateLimited`, `Overloaded`.
        """
        if not (self.open_to_all or actor.is_admin):
            raise RegistrationClosed
        NewUser.of(username=username, email=email)
        check_password(password)
        async with self._counted(uow, actor, [] if actor.is_admin else self.limits.sign_up(client.address)):
            password_hash = await self.hasher.hash(password)
        return {
            "username": username,
            "email": email,
            "password_hash": password_hash,
            "open_to_all": self.open_to_all,
        }

    async def sign_in(self, uow: UnitOfWork, actor: Actor, *, username: str, password: str, client: Client) -> Tokens:
        """Begin a session. `username` may be the e-mail address, too.

        Raises `InvalidCredentials`, the same and at the same cost whether the user is unknown, not active, or has
        another password; `InvalidValue` for a name that is too long for anybody's; `RateLimited`; and `Overloaded`.
        """
        user = await _find(uow, check_text("username", username, least=0, most=LONGEST_TYPED_EMAIL))
        attempts = self.limits.sign_in(username if user is None else user.username, client.address)
        tokens = Tokens.draw()
        async with self._counted(uow, actor, attempts) as counted:
            try:
                await self._begin_session(uow, actor, user, password, tokens=tokens, client=client, counted=counted)
            except PasswordReplaced:
                user = await _find(uow, username)
                await self._begin_session(uow, actor, user, password, tokens=tokens, client=client, counted=counted)
        return tokens

    async def _begin_session(
        self,
        uow: UnitOfWork,
        actor: Actor,
        user: User | None,
        password: str,
        *,
        tokens: Tokens,
        client: Client,
        counted: Sequence[Counter],
    ) -> None:
        verified = await self.hasher.verify(password, None if user is None else user.password_hash)
        if user is None or not user.is_active or not verified.matches:
            raise InvalidCredentials
        await run(
            uow,
            begin_login_session,
            actor,
            user=user,
            tokens=tokens,
            lifetimes=self.lifetimes,
            client=client,
            rehashed=verified.updated,
            counted=counted,
        )

    async def refresh(self, uow: UnitOfWork, actor: Actor, *, refresh_token: str) -> Tokens:
        """As `refresh_login_session`."""
        tokens = Tokens.draw()
        await run(
            uow, refresh_login_session, actor, refresh_token=refresh_token, tokens=tokens, lifetimes=self.lifetimes
        )
        return tokens

    async def change_password(self, uow: UnitOfWork, actor: Actor, *, current_password: str, new_password: str) -> None:
        """The actor's own; every other session ends.

        Raises `NotAuthenticated`, `InvalidValue` (rule `wrong_password` for a wrong current one), `RateLimited`,
        `Overloaded`, and `UserNotFound` if the actor has been deleted.
        """
        if actor.user_id is None:
            raise NotAuthenticated
        check_password(new_password, field="new_password")
        async with self._counted(uow, actor, self.limits.password(actor.user_id)) as counted:
            verified = await self._verified(uow, actor.user_id, current_password)
            change: Any = {
                "user_id": actor.user_id,
                "password_hash": await self.hasher.hash(new_password),
                "counted": counted,
            }
            try:
                await run(uow, set_password, actor, **change, instead_of=verified)
            except PasswordReplaced:
                verified = await self._verified(uow, actor.user_id, current_password)
                await run(uow, set_password, actor, **change, instead_of=verified)

    async def _verified(self, uow: UnitOfWork, user_id: UserId, password: str) -> PasswordHash | None:
        """The hash that `password` matches. Raises `InvalidValue`."""
        async with uow.reading():
            stored = (await uow.users.get(user_id)).password_hash
        if not (await self.hasher.verify(password, stored)).matches:
            raise InvalidValue("current_password", "wrong_password", "This is not your password")
        return stored

    @asynccontextmanager
    async def _counted(
        self, uow: UnitOfWork, actor: Actor, attempts: Sequence[Attempt]
    ) -> AsyncIterator[Sequence[Counter]]:
        """Counts before the block is entered. What came to nothing because of the database, or because too many
        passwords were waiting to be hashed, counts for nothing: a wrong password has been refused before. Nor does what
        was late, if the time between the ends of the deadline is enough."""
        counted = await run(uow, count_attempts, actor, attempts=attempts)
        try:
            yield counted
        except (StorageError, Conflict, asyncio.CancelledError):
            # What fails here would hide what went wrong.
            with suppress(StorageError, Conflict, OutcomeUnknown, TimeoutError):
                async with asyncio.timeout_at(deadline.last_moment()):
                    await run(uow, take_back_attempts, actor, counted=counted)
            raise


async def _find(uow: UnitOfWork, name: str) -> User | None:
    try:
        return await find_user(uow, Actor.system(), name=name)
    except UserNotFound:
        return None
