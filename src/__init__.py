"""Steward: users and the items they own.

Nothing is imported before it is asked for, so that `steward.domain`, `steward.adapters.memory` and `steward.testing`
work where SQLAlchemy and FastAPI cannot be imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .domain.actors import Actor as Actor
    from .entrypoints.python import open as open

_PUBLIC = {
    "Actor": ".domain.actors",
    "open": ".entrypoints.python",
}

__all__ = ["Actor", "open"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
