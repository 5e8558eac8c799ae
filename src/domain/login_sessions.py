"""Sessions: what a sign-in begins, and the tokens that stand for it.

A session has access tokens, which let their bearer act for its user, and refresh tokens, each of which is exchanged
once for a new pair. All of them together are one family, and end together.

Refresh tokens have generations. The session counts them: a token of the current generation may be exchanged, which
begins the next one; one of the generation before may still be for a moment, because the answer may have been lost; any
older one has been used by somebody else, and ends the family (RFC 9700 section 4.14.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from .text import check_text
from .users import Role, UserId

LoginSessionId = NewType("LoginSessionId", int)
# SHA-256 of a token. Tokens are random, so no salt and no slow hash is needed; and nobody who reads the database can
# use what it holds.
TokenHash = NewType("TokenHash", bytes)

MOST_OF_A_USER = 100  # sessions; a further sign-in ends the one that was not used for longest
USER_AGENT_LENGTH = 255
ADDRESS_LENGTH = 64  # more than any IPv6 one has


class TokenKind(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long tokens are good for; `grace` is how long a refresh token is after it was exchanged."""

    access: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(days=30)
    grace: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Client:
    """What a request tells of where it comes from. Raises `InvalidValue`."""

    address: str | None = None
    user_agent: str | None = None

    def __post_init__(self) -> None:
        check_text("address", self.address or "", least=0, most=ADDRESS_LENGTH)
        check_text("user_agent", self.user_agent or "", least=0, most=USER_AGENT_LENGTH)


@dataclass(frozen=True, slots=True)
class LoginSession:
    """`expires_at` is when its newest refresh token does."""

    id: LoginSessionId
    user_id: UserId
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What is stored of the two tokens that are given out together."""

    access: TokenHash
    access_expires_at: datetime
    refresh: TokenHash
    refresh_expires_at: datetime


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A token that is known, with what has to be known of its session and its user; `refreshed_at` and
    `session_generation` are the session's."""

    kind: TokenKind
    expires_at: datetime
    generation: int
    session_id: LoginSessionId
    session_generation: int
    refreshed_at: datetime
    user_id: UserId
    role: Role
    is_active: bool

    @property
    def is_current(self) -> bool:
        """Of a refresh token: it has not been exchanged."""
        return self.generation == self.session_generation

    def is_in_grace(self, grace: timedelta, *, at: datetime) -> bool:
        """Of a refresh token: it was exchanged less than `grace` ago, and what came of that was not."""
        # Of two who race, the one that began earlier may come later: without grace even that one is too late.
        return bool(grace) and self.generation == self.session_generation - 1 and at < self.refreshed_at + grace
