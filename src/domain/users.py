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
# Beyond the limits of names and addresses, because normal forms compose: a Hangul syllable is typed with up to three
# letters.
_LONGEST_TYPED_USERNAME = 4 * 64
LONGEST_TYPED_EMAIL = 3 * 254


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

    @property
    def is_active_admin(self) -> bool:
        return self.is_active and self.role is Role.ADMIN

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
        """Apply what is given, all or nothing, and say whether anything is different now. Raises `InvalidValue`."""
        before = (self.username, self.email, self.role, self.is_active, self.password_hash)
        after = (
            self.username if username is UNSET else check_username(username),
            self.email if email is UNSET else check_email(email),
            self.role if role is UNSET else check_role(role),
            self.is_active if is_active is UNSET else check_is_active(is_active),
            self.password_hash if password_hash is UNSET else password_hash,
        )
        if after == before:
            return False
        self.username, self.email, self.role, self.is_active, self.password_hash = after
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
    """Return `username` in NFKC: 3 to 64 letters, digits, `.`, `_` or `-`. Raises `InvalidValue`.

    A letter brings along the combining marks that its script writes it with (Devanagari, Thai, Hebrew points).
    Letters and marks that show nothing are refused: with them two names would look the same.
    """
    normal = unicodedata.normalize("NFKC", check_text("username", username, least=0, most=_LONGEST_TYPED_USERNAME))
    for before, character in zip("." + normal, normal, strict=False):
        kind = unicodedata.category(character)
        fits = (
            character in _PUNCTUATION or kind in _LETTERS_AND_DIGITS or (kind in _MARKS and before not in _PUNCTUATION)
        )
        if not fits or character in _INVISIBLE:
            raise InvalidValue("username", "username_characters", "Letters, digits, '.', '_' and '-' alone, please")
    return check_text("username", normal, least=3, most=64)


def username_key(username: str) -> str:
    """Two usernames are one and the same if their keys are equal: NFKC, casefolded, NFKC again.

    On what `check_username` lets through this is Unicode's NFKC_Casefold (UAX #31, section 5.1), in no language's
    own way: a Turkish dotless i is another letter than i.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def check_email(email: str) -> str:
    """Return `email` in NFC: a plausible address of at most 254 characters (RFC 5321 section 4.5.3.1.3).

    Whether it is real only a message to it can tell, so no more than its shape is asked for; characters that show
    nothing are refused, because with them two addresses would look the same. Raises `InvalidValue`.
    """
    normal = unicodedata.normalize("NFC", check_text("email", email, least=0, most=LONGEST_TYPED_EMAIL))
    local, at, domain = normal.rpartition("@")
    if not (local and at and domain) or "@" in local or any(map(_shows_nothing, normal)) or "" in domain.split("."):
        raise InvalidValue("email", "email_shape", "This is not an e-mail address")
    return check_text("email", normal, least=3, most=254)


def email_key(email: str) -> str:
    """Two addresses are one and the same if their keys are equal: NFC, casefolded."""
    return fold(email)


def sought_username_key(username: str) -> str | None:
    """The key to look a name up by; None for what nobody can be called.

    Which is not looked up: the databases choke on it, each in its own way, and folding a long one takes quadratic time.
    """
    try:
        return username_key(check_text("username", username, least=0, most=_LONGEST_TYPED_USERNAME))
    except InvalidValue:
        return None


def sought_email_key(email: str) -> str | None:
    """As `sought_username_key`."""
    try:
        return email_key(check_text("email", email, least=0, most=LONGEST_TYPED_EMAIL))
    except InvalidValue:
        return None


def check_role(role: str) -> Role:
    """Raises `InvalidValue`."""
    try:
        return Role(role)
    except ValueError:
        raise InvalidValue("role", "role", "The role is 'member' or 'admin'") from None


def check_is_active(is_active: bool) -> bool:
    """Raises `InvalidValue`."""
    if not isinstance(is_active, bool):
        raise InvalidValue("is_active", "bool_type", "A user is active or not: true or false")
    return is_active


def _shows_nothing(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf" or character in _INVISIBLE


_PUNCTUATION = "._-"
_LETTERS_AND_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
_MARKS = frozenset({"Mn", "Mc"})
# The letters and marks among the Default_Ignorable_Code_Points (Unicode, DerivedCoreProperties.txt): fillers,
# joiners and variation selectors. Python's unicodedata does not know the property.
_INVISIBLE = frozenset(
    map(
        chr,
        (
            0x034F,
            *(0x115F, 0x1160),
            *(0x17B4, 0x17B5),
            *range(0x180B, 0x1810),
            0x3164,
            *range(0xFE00, 0xFE10),
            0xFFA0,
            *range(0xE0100, 0xE01F0),
        ),
    )
)
