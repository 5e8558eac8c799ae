"""Every error that Steward raises on purpose.

    StewardError
    ├── InvalidValue              a value breaks a rule of the domain; names the field and the rule
    │   ├── UnknownOwner          no user has the id that was given as the owner
    │   ├── UnknownRecipient      a transfer to nobody, to someone inactive, or to the owner
    │   └── SameItem              a transfer of an item into itself
    ├── NotFound                  it does not exist, or is not the actor's to see
    │   ├── UserNotFound
    │   ├── ItemNotFound
    │   └── SessionNotFound
    ├── NotAuthenticated          nobody has signed in, or what was shown for it is no token
    │   ├── TokenExpired          the access token is past its time: refresh it
    │   └── TokenRevoked          the token is known no more, or its user may not use it: sign in again
    ├── InvalidCredentials        the same for every reason why a sign-in or a refresh fails
    │   └── PasswordReplaced      since it was verified: verify again
    ├── RateLimited               too many attempts; says when the next one may be made
    ├── Forbidden                 the actor may know that it exists, but may not do this
    │   └── RegistrationClosed
    ├── Refused                   well formed, but the present state of things does not allow it
    │   ├── UsernameTaken
    │   ├── EmailTaken
    │   ├── UserOwnsItems
    │   ├── LastAdmin
    │   ├── InsufficientQuantity
    │   └── QuantityOverflow
    ├── VersionMismatch           the version that the caller named is gone
    ├── Conflict                  lost a race that the caller did not ask about: run the unit again
    ├── UnitOfWorkError           the unit of work was used in a way that cannot be honoured
    │   ├── NotInTransaction      no block is open, or its commit has been done
    │   ├── ReadOnly              a write, or a writing block, inside `reading()`
    │   ├── ConcurrentUse         two tasks inside one unit of work at the same time
    │   ├── AlreadyInTransaction  a second unit of work on one database inside the first
    │   └── TransactionAborted    the transaction had failed and could only be rolled back
    ├── OutcomeUnknown            the connection broke during COMMIT: stored or not, nobody can tell
    └── StorageError              the database could not do it; nothing was stored
        ├── DatabaseUnavailable   not reachable, shutting down, or it broke the connection
        ├── Overloaded            no connection became free in time, or too many passwords wait to be hashed
        ├── DeadlineExceeded      a statement took longer than it may
        ├── StorageFull           no space left
        └── SchemaOutOfDate       the schema is older or newer than this version of Steward

The errors know nothing of HTTP: one table at the edge gives each its status. `code` is stable and meant for
programs; the message is a sentence meant for people and never holds a secret.
"""

from typing import Any, ClassVar


class StewardError(Exception):
    code: ClassVar[str] = "internal_error"

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled, and copied, by calling its class with `args`: here these are the message alone,
        # while most constructors take what the message is made of.
        return _remade, (type(self), self.args), self.__dict__


def _remade(kind: type[StewardError], args: tuple[Any, ...]) -> StewardError:
    return kind.__new__(kind, *args)


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


class SessionNotFound(NotFound):
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


class VersionMismatch(StewardError):
    """The caller named a version (`If-Match`), and the thing has moved on. Final: read again, then decide."""

    code = "version_mismatch"

    def __init__(self, message: str = "It has been changed since the version you named") -> None:
        super().__init__(message)


class Conflict(StewardError):
    """Nothing was stored, and running the whole unit again may succeed; `retry.run` does so."""

    code = "conflict"

    def __init__(self, message: str = "Lost a race against another writer") -> None:
        super().__init__(message)


class UnitOfWorkError(StewardError):
    pass


class NotInTransaction(UnitOfWorkError):
    pass


class ReadOnly(UnitOfWorkError):
    pass


class ConcurrentUse(UnitOfWorkError):
    pass


class AlreadyInTransaction(UnitOfWorkError):
    pass


class TransactionAborted(UnitOfWorkError):
    """Its `__cause__` is what made the transaction fail."""


class OutcomeUnknown(StewardError):
    """Never retried without an idempotency key: the first attempt may have been stored."""

    code = "outcome_unknown"

    def __init__(self, message: str = "The connection broke during COMMIT: it may or may not be stored") -> None:
        super().__init__(message)


class StorageError(StewardError):
    code = "database_unavailable"


class DatabaseUnavailable(StorageError):
    pass


class Overloaded(StorageError):
    code = "overloaded"


class DeadlineExceeded(StorageError):
    code = "deadline_exceeded"


class StorageFull(StorageError):
    code = "storage_full"


class SchemaOutOfDate(StorageError):
    code = "schema_out_of_date"
