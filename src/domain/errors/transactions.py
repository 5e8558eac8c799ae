"""What becomes of a transaction, and of the database below it."""

from .root import StewardError


class VersionMismatch(StewardError):
    """The caller named a version (`If-Match`), and the thing has moved on. Final: read again, then decide."""

    code = "version_mismatch"

    def __init__(self, message: str = "It has been changed since the version you named") -> None:
        super().__init__(message)


class VersionRequired(StewardError):
    """Whoever changes a thing has to say which version of it was seen: the operator wants it so."""

    code = "precondition_required"

    def __init__(self) -> None:
        super().__init__("Say which version you have seen")


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


class DatabaseLocked(DatabaseUnavailable, Conflict):
    """Another process holds a SQLite file. `retry.run` waits for it as for any `Conflict`; one that lasts is no race
    that others have won, but a database that cannot be had."""


class Overloaded(StorageError):
    code = "overloaded"


class DeadlineExceeded(StorageError):
    code = "deadline_exceeded"


class StorageFull(StorageError):
    code = "storage_full"


class SchemaOutOfDate(StorageError):
    code = "schema_out_of_date"
