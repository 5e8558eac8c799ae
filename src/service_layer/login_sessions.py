"""What can be done with sessions. How one is begun with a password stands in `accounts`."""

from collections.abc import Sequence

from ..domain.actors import Actor
from ..domain.attempts import Counter
from ..domain.errors import (
    InvalidCredentials,
    InvalidValue,
    LoginSessionNotFound,
    NotAuthenticated,
    PasswordReplaced,
    TokenExpired,
    TokenRevoked,
    UserNotFound,
)
from ..domain.login_sessions import (
    MOST_OF_A_USER,
    Client,
    Lifetimes,
    LoginSession,
    LoginSessionId,
    TokenHash,
    TokenKind,
)
from ..domain.users import PasswordHash, User, UserId
from .tokens import Tokens, hash_of
from .unit_of_work import UnitOfWork


async def authenticate(uow: UnitOfWork, *, access_token: str) -> Actor:
    """On whose behalf the bearer of this token acts: what the database says now, in one statement.

    Raises `NotAuthenticated` for what is no access token (the database is not asked), `TokenExpired`, and
    `TokenRevoked` if it is unknown, or its user is not active.
    """
    token = check_access_token(access_token)
    async with uow.reading():
        return await actor_behind(uow, token)


async def actor_behind(uow: UnitOfWork, token: TokenHash) -> Actor:
    """The same for a token that `check_access_token` has let pass, inside a block of `uow`."""
    presented = await uow.login_sessions.find(token)
    if presented is None or presented.kind is not TokenKind.ACCESS or not presented.is_active:
        raise TokenRevoked
    if presented.expires_at <= uow.now:
        raise TokenExpired
    return Actor(presented.user_id, presented.role, presented.session_id)


def check_access_token(access_token: str) -> TokenHash:
    """Return the hash of what can be an access token. Raises `NotAuthenticated`."""
    token = hash_of(access_token, TokenKind.ACCESS)
    if token is None:
        raise NotAuthenticated("This is not an access token: sign in to get one")
    return token


async def begin_login_session(
    uow: UnitOfWork,
    actor: Actor,
    *,
    user: User,
    tokens: Tokens,
    lifetimes: Lifetimes,
    client: Client,
    rehashed: PasswordHash | None = None,
    counted: Sequence[Counter] = (),
) -> LoginSession:
    """For a `user` whose password has been verified as it was read; what was `counted` for that is taken back.

    Raises `InvalidCredentials` if the user is gone since, or not active, and `PasswordReplaced`.
    """
    async with uow:
        try:
            # Holds off whoever would change the password: they end the sessions that are there when they commit.
            current = await uow.users.get(user.id, for_change=True)
        except UserNotFound:
            raise InvalidCredentials from None
        if not current.is_active:
            raise InvalidCredentials
        if current.password_hash != user.password_hash:
            raise PasswordReplaced
        if rehashed is not None and current.change(at=uow.now, password_hash=rehashed):
            await uow.users.save(current)
        await uow.login_sessions.make_room(user.id, keep=MOST_OF_A_USER - 1, at=uow.now)
        session = await uow.login_sessions.add(user.id, client, tokens.stored(lifetimes, at=uow.now), at=uow.now)
        await uow.attempts.take_back(counted)
        await uow.commit()
    return session


async def refresh_login_session(
    uow: UnitOfWork, actor: Actor, *, refresh_token: str, tokens: Tokens, lifetimes: Lifetimes
) -> None:
    """Exchange a refresh token for `tokens`. Whoever has it needs nothing else: the actor is not asked for.

    Raises `InvalidCredentials`. If it does so because the token had been exchanged before, the whole family has been
    ended (RFC 9700 section 4.14.2), and that is committed.
    """
    presented_hash = hash_of(refresh_token, TokenKind.REFRESH)
    if presented_hash is None:
        raise InvalidCredentials
    async with uow:
        reused = not await _exchange(uow, presented_hash, tokens, lifetimes)
        await uow.commit()
    if reused:
        raise InvalidCredentials


async def _exchange(uow: UnitOfWork, presented_hash: TokenHash, tokens: Tokens, lifetimes: Lifetimes) -> bool:
    """False if the family had to be ended."""
    presented = await uow.login_sessions.find(presented_hash)
    if presented is None or presented.kind is not TokenKind.REFRESH or not presented.is_active:
        raise InvalidCredentials
    if presented.expires_at <= uow.now:
        raise InvalidCredentials
    pair = tokens.stored(lifetimes, at=uow.now)
    if presented.is_current:
        await uow.login_sessions.rotate(presented, pair, at=uow.now)
    elif presented.is_in_grace(lifetimes.grace, at=uow.now):
        await uow.login_sessions.issue(presented, pair)
    else:
        await uow.login_sessions.end(presented.session_id)
        return False
    return True


async def list_login_sessions(uow: UnitOfWork, actor: Actor, *, user_id: UserId | None = None) -> list[LoginSession]:
    """The actor's own that have not expired, the newest first. The system says whose.

    Raises `NotAuthenticated`, `UserNotFound` for sessions that are not the actor's to see, and `InvalidValue` if the
    system does not say whose.
    """
    actor.require_signed_in()
    user_id = actor.user_id if user_id is None else user_id
    if user_id is None:
        raise InvalidValue("user_id", "missing", "The system has no sessions: say whose to list")
    if not _is_own(actor, user_id):
        raise UserNotFound(user_id)
    async with uow.reading():
        return await uow.login_sessions.list_of(user_id, at=uow.now)


async def end_login_session(uow: UnitOfWork, actor: Actor, *, session_id: LoginSessionId) -> None:
    """Its tokens are worth nothing from the next request on. Raises `LoginSessionNotFound`, also for another's."""
    async with uow:
        session = await uow.login_sessions.get(session_id)
        if not _is_own(actor, session.user_id) or not await uow.login_sessions.end(session_id):
            raise LoginSessionNotFound(session_id)
        await uow.commit()


async def end_login_sessions_of(uow: UnitOfWork, actor: Actor, *, user_id: UserId) -> int:
    """End all of them but the one in which the actor asks, and return how many there were. Raises `UserNotFound`."""
    if not _is_own(actor, user_id):
        raise UserNotFound(user_id)
    async with uow:
        await uow.users.get(user_id)
        ended = await uow.login_sessions.end_all_of(user_id, but=actor.session_id)
        await uow.commit()
    return ended


def _is_own(actor: Actor, user_id: UserId) -> bool:
    """Sessions are nobody's business but their user's: an admin deactivates the account."""
    return actor.is_system or actor.user_id == user_id
