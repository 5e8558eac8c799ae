"""What the application and the server that runs it tell each other, by the state of the ASGI lifespan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .middleware.observed import Observers

_KEY = "steward"


@dataclass(slots=True, eq=False)
class ServerState:
    """One for each application.

    Attributes:
        observers: the server tells them of requests that it has refused by itself.
        is_draining: True from the moment the server has been told to end.
    """

    observers: Observers
    is_draining: bool = False

    def as_lifespan_state(self) -> dict[str, Any]:
        """Return what the lifespan yields, for `server_state_in`."""
        return {_KEY: self}


def server_state_in(lifespan_state: Mapping[str, Any]) -> ServerState | None:
    """Return the state of the application that the server runs; None if that is another one."""
    return lifespan_state.get(_KEY)
