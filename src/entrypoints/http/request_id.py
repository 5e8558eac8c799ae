"""The id that ties a request, its answer and its log lines together."""

import logging
import re
import secrets
from contextvars import ContextVar

_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_current: ContextVar[str] = ContextVar("steward_request_id", default="")


def begin_request(given: bytes | None) -> str:
    """Take the client's own id if it is sane, else a fresh one; every log record of this task will carry it."""
    sane = given is not None and _SANE.fullmatch(given) is not None
    request_id = given.decode("ascii") if sane and given is not None else secrets.token_hex(16)
    _current.set(request_id)
    return request_id


def current_request_id() -> str:
    """Empty outside a request."""
    return _current.get()


class RequestIdFilter(logging.Filter):
    """For a logging handler: gives every record that passes it a `request_id`, "-" outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id() or "-"
        return True
