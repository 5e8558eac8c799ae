"""Users and their rules."""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from .errors import InvalidValue
from .partial import UNSET, Unset
from .text import check_text, fold

UserId = NewType("UserId", int)

MAX_ID = 2**63 - 1  # what a BIGINT holds


class Role(StrEnum):
    MEMBER = "member"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What the port `Hasher` made of a password. Not a plain string, so that no password is stored by mistake."""

    value: str = field(repr=False)


@dataclass(slots=True)
class User:
    """`version` counts the changes from 1; the repository checks and raises it when it saves."""

    id: UserId
    username: str
    email: str
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int
    password_hash: PasswordHash | None = field(default=None, repr=False)

    def change(
        self,
        *,
        at: datetime,
        username: str | Unset = UNSET,
        email: str | Unset = UNSET,
        role: Role | Unset = UNSET,
        is_active: bool | Unset = UNSET,
        password_hash: PasswordHash | Unset = UNSET,
    ) -> bool:
        """Apply what is given, and say whether anything is different now. Raises `InvalidValue`."""
        before = (self.username, self.email, self.role, self.is_active, self.password_hash)
        if username is not UNSET:
            self.username = check_username(username)
        if email is not UNSET:
            self.email = check_email(email)
        if role is not UNSET:
            self.role = check_role(role)
        if is_active is not UNSET:
            self.is_active = is_active
        if password_hash is not UNSET:
            self.password_hash = password_hash
        if before == (self.username, self.email, self.role, self.is_active, self.password_hash):
            return False
        self.updated_at = at
        return True


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user that has passed the rules and has no id yet. Made by `of`."""

    username: str
    email: str
    role: Role
    password_hash: PasswordHash | None

    @classmethod
    def of(
        cls,
        *,
        username: str,
        email: str,
        password_hash: PasswordHash | None = None,
        role: Role = Role.MEMBER,
    ) -> "NewUser":
        """Raises `InvalidValue`."""
        return cls(check_username(username), check_email(email), check_role(role), password_hash)


@dataclass(frozen=True, slots=True)
class Owner:
    """What others may see of a user."""

    id: UserId
    username: str


def check_username(username: str) -> str:
    """3 to 64 letters, digits, `.`, `_` or `-` after NFKC, which is returned.

    A letter brings the combining marks along that its script writes it with (Devanagari, Thai, Hebrew points).
    """
    normal = unicodedata.normalize("NFKC", check_text("username", username, least=1, most=256))
    for position, character in enumerate(normal):
        if character in "._-" or unicodedata.category(character) in _LETTERS_AND_DIGITS:
            continue
        if position and unicodedata.category(character) in _MARKS:
            continue
        raise InvalidValue("username", "username_characters", "Letters, digits, '.', '_' and '-' alone, please")
    return check_text("username", normal, least=3, most=64)


def username_key(username: str) -> str:
    """Two usernames are one and the same if their keys are equal: NFKC, casefolded (UAX #31, NFKC_Casefold)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def check_email(email: str) -> str:
    """A plausible address in NFC, at most 254 characters (RFC 5321 section 4.5.3.1.3).

    Whether it is real only a message to it can tell, so no more than its shape is asked for.
    """
    normal = unicodedata.normalize("NFC", check_text("email", email, least=3, most=254))
    local, at, domain = normal.rpartition("@")
    if (
        not (local and at and domain)
        or "@" in local
        or any(character.isspace() for character in normal)
        or "" in domain.split(".")
    ):
        raise InvalidValue("email", "email_shape", "This is not an e-mail address")
    return normal


def email_key(email: str) -> str:
    """Two addresses are one and the same if their keys are equal: NFC, casefolded."""
    return fold(email)


def check_role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise InvalidValue("role", "role", "The role is 'member' or 'admin'") from None


_LETTERS_AND_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
_MARKS = frozenset({"Mn", "Mc"})
