"""The port of password hashing: slow work, done before a transaction and handed in as a value."""

from typing import Protocol

from ..domain.errors import InvalidValue
from ..domain.text import check_text
from ..domain.users import PasswordHash


class Hasher(Protocol):
    async def hash(self, password: str) -> PasswordHash:
        """Takes from a tenth of a second upwards on purpose; never called inside a transaction."""
        ...


def check_password(password: str) -> str:
    """8 to 128 characters exactly as typed: no normalisation, no rules of composition (NIST SP 800-63B 5.1.1.2)."""
    try:
        return check_text("password", password, least=8, most=128)
    except InvalidValue as error:
        # The message names the rule, never the password.
        raise InvalidValue("password", error.rule, str(error)) from None
