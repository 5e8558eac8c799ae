"""The id that ties a request, its answer and its log lines together."""

import os
import re
from contextvars import ContextVar

_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class _Request:
    __slots__ = ("id", "is_over")

    def __init__(self, id: str) -> None:
        self.id = id
        self.is_over = False


_current: ContextVar[_Request | None] = ContextVar("steward_request", default=None)


def begin_request(given: bytes | None) -> str:
    """Take the client's own id if it is sane, else a fresh one; every log record of this task will carry it."""
    sane = given is not None and _SANE.fullmatch(given) is not None
    request_id = given.decode("ascii") if sane and given is not None else os.urandom(16).hex()
    _current.set(_Request(request_id))
    return request_id


def end_request() -> None:
    """What the event loop does from now on in a context that was copied from this one is no longer this request's: a
    connection that it has made lives on, and its callbacks run in such a context."""
    request = _current.get()
    if request is not None:
        request.is_over = True


def current_request_id() -> str:
    """Empty outside a request."""
    request = _current.get()
    return "" if request is None or request.is_over else request.id
