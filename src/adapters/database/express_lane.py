"""What the rest of the database knows of the express lane: it is optional, and registers itself when it is imported."""

from typing import ClassVar, Protocol, Self

from sqlalchemy.pool import AsyncAdaptedQueuePool

from .engines import Engines, PoolSettings
from .session_transaction import SessionTransaction


class ExpressLane(Protocol):
    """The express lane of one database."""

    pool_class: ClassVar[type[AsyncAdaptedQueuePool]]

    @classmethod
    def is_usable(cls) -> bool:
        """Return True if the installed libraries are as the lane needs them; else log one warning."""
        ...

    @classmethod
    def on(cls, engines: Engines, pool: PoolSettings) -> Self | None:
        """Return None where every statement has to go through SQLAlchemy."""
        ...

    def transaction(self) -> SessionTransaction:
        """Make what a unit of work runs on."""
        ...

    def close(self) -> None: ...


_registered: list[type[ExpressLane]] = []


def register(lane: type[ExpressLane]) -> None:
    _registered.append(lane)


def usable_lane() -> type[ExpressLane] | None:
    """Return the registered lane, or None if there is none, or the installed libraries are not as it needs them."""
    return next((lane for lane in _registered if lane.is_usable()), None)
