"""What is wrong with what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .root import StewardError


class InvalidValue(StewardError):
    """`field` is the name of the argument at fault, or the path below it (`("attributes", "size")`)."""

    code: ClassVar[str] = "invalid_request"

    def __init__(self, field: str | tuple[str | int, ...], rule: str, detail: str) -> None:
        super().__init__(detail)
        self.path: tuple[str | int, ...] = (field,) if isinstance(field, str) else field
        self.rule = rule

    @property
    def field(self) -> str:
        return ".".join(str(part) for part in self.path)


class UnknownOwner(InvalidValue):
    def __init__(self, user_id: int) -> None:
        super().__init__("owner_id", "unknown_owner", f"User id {user_id} not found")


class UnknownRecipient(InvalidValue):
    """Says the same of a recipient that is unknown, inactive, or already the owner."""

    code = "unknown_recipient"

    def __init__(self, field: str = "to") -> None:
        super().__init__(field, "unknown_recipient", "The recipient is unknown, inactive, or already the owner")


class SameItem(InvalidValue):
    code = "same_item"

    def __init__(self) -> None:
        super().__init__("to", "same_item", "An item cannot be transferred into itself")


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row: `line` counts from 1; `path` leads to the field, and is empty for the whole row."""

    line: int
    path: tuple[str | int, ...]
    rule: str
    detail: str


class InvalidRows(InvalidValue):
    """`faults` are the first of `total`; with `gave_up` there may be more in what was not looked at."""

    def __init__(self, faults: Sequence[RowFault], total: int, *, gave_up: bool = False) -> None:
        first = faults[0]
        many = f"{total} faults or more" if gave_up else f"{total} faults"
        told = "One fault" if total == 1 else f"{many}, the first"
        super().__init__((first.line, *first.path), first.rule, f"{told} in line {first.line}: {first.detail}")
        self.faults = tuple(faults)
        self.total = total


class NotFound(StewardError):
    code = "not_found"


class UserNotFound(NotFound):
    code = "user_not_found"

    def __init__(self, user: int | str) -> None:
        super().__init__(f"User id {user} not found" if isinstance(user, int) else f"User {user} not found")


class ItemNotFound(NotFound):
    code = "item_not_found"

    def __init__(self, item_id: int) -> None:
        super().__init__(f"Item id {item_id} not found")


class LoginSessionNotFound(NotFound):
    code = "session_not_found"

    def __init__(self, session_id: int) -> None:
        super().__init__(f"Session id {session_id} not found")


class NotAuthenticated(StewardError):
    code = "not_authenticated"

    def __init__(self, message: str = "Sign in first, and send the access token") -> None:
        super().__init__(message)


class TokenExpired(NotAuthenticated):
    code = "token_expired"

    def __init__(self) -> None:
        super().__init__("This access token has expired: refresh it")


class TokenRevoked(NotAuthenticated):
    code = "token_revoked"

    def __init__(self) -> None:
        super().__init__("This token is not, or no longer, valid: sign in again")


class InvalidCredentials(StewardError):
    """Never says which: the name, the password, the account or the token."""

    code = "invalid_credentials"

    def __init__(self) -> None:
        super().__init__("The credentials are wrong, or not valid any more")


class PasswordReplaced(InvalidCredentials):
    """By another password, or by the same one that a sign-in has hashed anew."""


class RateLimited(StewardError):
    """`limit` names the rule that was broken: `quota` attempts in `window` seconds. `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, *, limit: str, quota: int, window: int, retry_after: int) -> None:
        super().__init__(f"Too many attempts: wait {retry_after} seconds")
        self.limit = limit
        self.quota = quota
        self.window = window
        self.retry_after = retry_after


class Forbidden(StewardError):
    code = "forbidden"


class RegistrationClosed(Forbidden):
    code = "registration_closed"

    def __init__(self) -> None:
        super().__init__("Only an admin adds users here")


class Refused(StewardError):
    pass


class UsernameTaken(Refused):
    code = "username_taken"

    def __init__(self) -> None:
        super().__init__("This username is taken")


class EmailTaken(Refused):
    code = "email_taken"

    def __init__(self) -> None:
        super().__init__("This e-mail address is taken")


class UserOwnsItems(Refused):
    code = "user_owns_items"

    def __init__(self, user_id: int) -> None:
        super().__init__(f"User id {user_id} still owns items: say whether to delete or to transfer them")


class LastAdmin(Refused):
    code = "last_admin"

    def __init__(self) -> None:
        super().__init__("This is the last active admin: make another one first")


class InsufficientQuantity(Refused):
    code = "insufficient_quantity"

    def __init__(self, *, wanted: int, available: int) -> None:
        super().__init__(f"{wanted} wanted, but there are {available}")


class QuantityOverflow(Refused):
    code = "quantity_overflow"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The receiving item would hold more than {limit}")


class OperationFailed(StewardError):
    """`index` counts from 0; nothing of the batch is stored. `error` is what the operation alone would have raised,
    and the answer has its code."""

    code = "operation_failed"

    def __init__(self, index: int, error: StewardError) -> None:
        super().__init__(f"Operation {index}: {error}")
        self.index = index
        self.error = error


class IdempotencyKeyReused(StewardError):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another request")


class IdempotencyKeyInUse(StewardError):
    code = "idempotency_key_in_use"

    def __init__(self) -> None:
        super().__init__("The first request with this idempotency key is still under way")
