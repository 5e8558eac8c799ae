"""What the layers of one request hand to each other, typed in one place.

Our server puts a `RequestContext` into the ASGI scope with what it knows of the connection. Under another server, or
without one, the outermost layer (`middleware/envelope`) does. Every layer and route reads it with `context_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from ...domain.actors import Actor
from ...domain.login_sessions import TokenHash

_KEY = "steward"  # in the scope of a request

Headers = list[tuple[bytes, bytes]]  # as ASGI has them: names in lower case


class ClientConnection(Protocol):
    """What our server knows of the connection that a request came by."""

    def break_off(self) -> None:
        """Close the connection in the middle of an answer that cannot be finished."""

    def has_left(self) -> bool:
        """Return True if the client has closed the connection."""

    def body_has_come(self) -> bool:
        """Return True if no more of the body will come: it has been read off the connection, or the client left."""


@dataclass(slots=True, eq=False)
class RequestContext:
    """What one layer finds out about a request and another one needs.

    Attributes:
        connection: None unless our server runs the application.
        wants_head_alone: True for HEAD, which the routes see as GET.
        was_broken_off: True once the answer was given up in the middle.
        route_headers: what the route adds to its answer, also to one that an error handler makes.
        token: what the request sends as its access token, once the syntax of that has been checked.
        actor: who is asking, once that is known; the access log names it.
        content: what stands for the body where two requests are compared (Idempotency-Key): the body or its digest.
        form: the fields of a form.
        file: a body that was too large to be held in memory.
        is_repeatable: True once the request was found to have an Idempotency-Key.
    """

    connection: ClientConnection | None = None
    wants_head_alone: bool = False
    was_broken_off: bool = False
    route_headers: Headers = field(default_factory=list)
    token: TokenHash | None = None
    actor: Actor | None = None
    content: bytes = b""
    form: Mapping[str, str] = field(default_factory=dict)
    file: IO[bytes] | None = None
    is_repeatable: bool = False

    def break_off(self) -> None:
        """Give the answer up in the middle, in the open: the connection is closed before its end."""
        assert self.connection is not None
        self.was_broken_off = True
        self.connection.break_off()


def context_of(scope: Mapping[str, Any]) -> RequestContext:
    context: RequestContext = scope[_KEY]
    return context


def put_context(scope: Any, context: RequestContext) -> RequestContext:
    """Make `context` that of the request with this scope."""
    scope[_KEY] = context
    return context


def begin_context(scope: Mapping[str, Any]) -> RequestContext:
    """Return the context that the server has put into `scope`, or a new one."""
    return scope.get(_KEY) or RequestContext()
