"""The port of password hashing: slow work, done before a transaction and handed in as a value."""

from dataclasses import dataclass
from typing import Protocol

from ..domain.errors import InvalidValue
from ..domain.text import check_text
from ..domain.users import PasswordHash
from .common_passwords import is_common

LONGEST = 128  # characters


@dataclass(frozen=True, slots=True)
class Verified:
    """`updated` is to be stored: the same password, hashed with today's parameters where the stored hash has others."""

    matches: bool
    updated: PasswordHash | None = None


class Hasher(Protocol):
    """Takes tens of milliseconds on purpose, of a whole core; never called inside a transaction.

    Both methods raise `Overloaded` at once if too many passwords wait already.
    """

    async def hash(self, password: str) -> PasswordHash:
        """Raises `InvalidValue` for what `check_password` refuses, before any work is done."""
        ...

    async def verify(self, password: str, against: PasswordHash | None) -> Verified:
        """Say whether `password` is the one that `against` was made from.

        `against` is None for a user who does not exist or has no password: that never matches, and takes one hash
        with today's parameters, so that nobody can tell by the time. The same holds for a stored hash that cannot be
        read and for a password that `can_match` rules out. Otherwise it takes one hash with the parameters of
        `against`, and a second one if there is something to update.

        The rules of `check_password` are not asked: they may have changed since the password was set.
        """
        ...


def check_password(password: str, *, field: str = "password") -> str:
    """8 to 128 characters exactly as typed, and none of the most common passwords. Raises `InvalidValue`.

    No normalisation and no rules of composition (NIST SP 800-63B section 5.1.1.2). No message holds the password.
    """
    check_text(field, password, least=8, most=LONGEST)
    if is_common(password):
        raise InvalidValue(field, "common_password", "This password is one of the most common: choose another one")
    return password


def can_match(password: str) -> bool:
    """False for what no hash was ever made from, and no hasher should be given: too long, or not UTF-8."""
    if len(password) > LONGEST:
        return False
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True
