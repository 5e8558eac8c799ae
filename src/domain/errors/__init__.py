"""Every error that Steward raises on purpose.

    StewardError
    ├── InvalidValue              a value breaks a rule of the domain; names the field and the rule
    │   ├── UnknownOwner          no user has the id that was given as the owner
    │   ├── UnknownRecipient      a transfer to nobody, to someone inactive, or to the owner
    │   ├── SameItem              a transfer of an item into itself
    │   └── InvalidRows           rows of an import; names each of the first faults and its line
    ├── NotFound                  it does not exist, or is not the actor's to see
    │   ├── UserNotFound
    │   ├── ItemNotFound
    │   └── LoginSessionNotFound
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
    ├── OperationFailed           one of a batch; says which, and why
    ├── IdempotencyKeyReused      for another request than the first
    ├── IdempotencyKeyInUse       the first request with it is still under way
    ├── VersionMismatch           the version that the caller named is gone
    ├── VersionRequired           the caller has to name the version that was seen, and has not
    ├── Conflict                  lost a race that the caller did not ask about: run the unit again
    ├── UnitOfWorkError           the unit of work was used in a way that cannot be honoured
    │   ├── NotInTransaction      no block is open, or its commit has been done
    │   ├── ReadOnly              a write, or a writing block, inside `reading()`
    │   ├── ConcurrentUse         two tasks inside one unit of work at the same time
    │   ├── AlreadyInTransaction  a second unit of work on one database inside the first
    │   └── TransactionAborted    the transaction had failed and could only be rolled back
    ├── OutcomeUnknown            the connection broke, or time was up, during COMMIT: nobody can tell if it is stored
    └── StorageError              the database could not do it; nothing was stored
        ├── DatabaseUnavailable   not reachable, shutting down, or it broke the connection
        │   └── DatabaseLocked    another process holds a SQLite file; a Conflict, too
        ├── Overloaded            too many wait for the database, or for too long, or to have a password hashed
        ├── DeadlineExceeded      a statement, or all that was asked, took longer than it may
        ├── StorageFull           no space left
        └── SchemaOutOfDate       the schema is older or newer than this version of Steward

The errors know nothing of HTTP: one table at the edge gives each its status. `code` is stable and meant for
programs; the message is a sentence meant for people and never holds a secret.
"""

from .requests import (
    EmailTaken,
    Forbidden,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InsufficientQuantity,
    InvalidCredentials,
    InvalidRows,
    InvalidValue,
    ItemNotFound,
    LastAdmin,
    LoginSessionNotFound,
    NotAuthenticated,
    NotFound,
    OperationFailed,
    PasswordReplaced,
    QuantityOverflow,
    RateLimited,
    Refused,
    RegistrationClosed,
    RowFault,
    SameItem,
    TokenExpired,
    TokenRevoked,
    UnknownOwner,
    UnknownRecipient,
    UsernameTaken,
    UserNotFound,
    UserOwnsItems,
)
from .root import StewardError
from .transactions import (
    AlreadyInTransaction,
    ConcurrentUse,
    Conflict,
    DatabaseLocked,
    DatabaseUnavailable,
    DeadlineExceeded,
    NotInTransaction,
    OutcomeUnknown,
    Overloaded,
    ReadOnly,
    SchemaOutOfDate,
    StorageError,
    StorageFull,
    TransactionAborted,
    UnitOfWorkError,
    VersionMismatch,
    VersionRequired,
)

__all__ = [
    "AlreadyInTransaction",
    "ConcurrentUse",
    "Conflict",
    "DatabaseLocked",
    "DatabaseUnavailable",
    "DeadlineExceeded",
    "EmailTaken",
    "Forbidden",
    "IdempotencyKeyInUse",
    "IdempotencyKeyReused",
    "InsufficientQuantity",
    "InvalidCredentials",
    "InvalidRows",
    "InvalidValue",
    "ItemNotFound",
    "LastAdmin",
    "LoginSessionNotFound",
    "NotAuthenticated",
    "NotFound",
    "NotInTransaction",
    "OperationFailed",
    "OutcomeUnknown",
    "Overloaded",
    "PasswordReplaced",
    "QuantityOverflow",
    "RateLimited",
    "ReadOnly",
    "Refused",
    "RegistrationClosed",
    "RowFault",
    "SameItem",
    "SchemaOutOfDate",
    "StewardError",
    "StorageError",
    "StorageFull",
    "TokenExpired",
    "TokenRevoked",
    "TransactionAborted",
    "UnitOfWorkError",
    "UnknownOwner",
    "UnknownRecipient",
    "UserNotFound",
    "UserOwnsItems",
    "UsernameTaken",
    "VersionMismatch",
    "VersionRequired",
]
