"""The names of other people's libraries that the lane uses although they are not public.

A release of theirs may change each of them without notice. `Lane.is_usable` looks for them all when a database is
opened: if one is not as it is written here, the lane is off, and everything works without it.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any


@dataclass(frozen=True, slots=True)
class PrivateName:
    """One name: an attribute, or a method if `parameters` says what it takes beside `self`."""

    owner: str  # module:class, or a module
    name: str
    reason: str
    parameters: tuple[str, ...] | None = None
    is_async: bool = False

    def __str__(self) -> str:
        arguments = "" if self.parameters is None else f"({', '.join(self.parameters)})"
        library = self.owner.partition(":")[0].partition(".")[0]
        return f"{library} {version(library)}: {self.owner.partition(':')[2]}.{self.name}{arguments}"

    def is_there(self) -> bool:
        try:
            found = inspect.getattr_static(_instance_or_class(self.owner), self.name)
        except (ImportError, AttributeError):
            return False
        return self.parameters is None or self._is_method(found)

    def _is_method(self, found: Any) -> bool:
        if not inspect.isfunction(found) or inspect.iscoroutinefunction(found) is not self.is_async:
            return False
        taken = list(inspect.signature(found).parameters.values())[1:]
        given = len(self.parameters or ())
        further = [each for each in taken[given:] if each.default is each.empty]
        return tuple(each.name for each in taken[:given]) == self.parameters and not further


_CONNECTION = "sqlalchemy.engine:Connection"
_POOL = "sqlalchemy.pool:AsyncAdaptedQueuePool"
_POOLED = "sqlalchemy.pool.base:_ConnectionFairy"
_RECORD = "sqlalchemy.pool.base:_ConnectionRecord"
_ADAPTER = "sqlalchemy.connectors.asyncio:AsyncAdapt_dbapi_connection"
_ASYNCPG = "sqlalchemy.dialects.postgresql.asyncpg:AsyncAdapt_asyncpg_connection"
_DRIVER = "aiosqlite:Connection"

PRIVATE_NAMES = (
    PrivateName(
        _CONNECTION,
        "_handle_dbapi_exception",
        "lets SQLAlchemy know of an error as if it had run the statement",
        ("e", "statement", "parameters", "cursor", "context"),
    ),
    PrivateName(_ASYNCPG, "_handle_exception", "raises an error in the words of the DBAPI", ("error",)),
    PrivateName(_ADAPTER, "_handle_exception", "raises an error in the words of the DBAPI", ("error",)),
    PrivateName(_ASYNCPG, "_transaction", "tells whether BEGIN has been sent"),
    PrivateName(_ASYNCPG, "_start_transaction", "BEGIN, which the adapter has to know of", (), is_async=True),
    PrivateName(_ASYNCPG, "_call_and_discard", "COMMIT, which the adapter has to know of", ("fn",), is_async=True),
    PrivateName(_ADAPTER, "_connection", "the public `driver_connection` calls four functions"),
    PrivateName(_DRIVER, "_conn", "the connection of sqlite3, for what runs on the thread of the event loop"),
    PrivateName(_DRIVER, "_connection", "tells whether it is closed"),
    PrivateName(
        _POOL,
        "_invalidate",
        "a lost connection takes all that are as old with it",
        ("connection", "exception"),
    ),
    PrivateName(_POOL, "_do_get", "a checkout, which finds the connections at hand", ()),
    PrivateName(_POOL, "_do_return_conn", "a return to a pool that was disposed of", ("record",)),
    PrivateName(_POOL, "_overflow", "tells whether the pool can open one more connection"),
    PrivateName(_POOL, "_max_overflow", "tells whether the pool can open one more connection"),
    PrivateName(_POOL, "_recycle", "the age at which a connection is replaced"),
    PrivateName(_POOL, "_invalidate_time", "when a connection was lost: older ones are not used"),
    PrivateName(_POOLED, "_pool", "the pool that a connection was taken from"),
    PrivateName(_POOLED, "_connection_record", "the age of a connection, and whether it is in use"),
    PrivateName(_RECORD, "_soft_invalidate_time", "when a connection was given up"),
    PrivateName(_RECORD, "starttime", "the age of a connection"),
    PrivateName(_RECORD, "fairy_ref", "tells whether the user of a connection was lost to the garbage collector"),
)

# Attributes that `__init__` makes are those of an object, not of its class.
_MADE_WITH: dict[str, tuple[Any, ...]] = {_POOL: (lambda: None,), _DRIVER: (lambda: None, 1)}


def _instance_or_class(owner: str) -> Any:
    module, _, name = owner.partition(":")
    found: Any = getattr(import_module(module), name) if name else import_module(module)
    return found(*_MADE_WITH[owner]) if owner in _MADE_WITH else found


def missing_names() -> Iterator[PrivateName]:
    """Yield the names that are not there, or not as they are written here."""
    return (each for each in PRIVATE_NAMES if not each.is_there())
