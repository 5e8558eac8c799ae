"""What the server logs, on standard error: one line a record, for programs (JSON) or for people (console).

All records take the same way, whoever has made them: ours, uvicorn's, SQLAlchemy's, warnings. A record that is made
while a request is served says which one. No line holds a secret: nobody logs one, and what might come along in the
words of an error is taken out here.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import format_exc_info
from structlog.stdlib import ProcessorFormatter

from ..config import Settings
from .request_id import current_request_id

_encode_anything = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode

Form = Literal["console", "json"]
Event = dict[str, Any]

# What looks like a token, a password's hash, credentials of HTTP or of a URL; and the row that PostgreSQL tells of when
# it refuses one, which may be that of a user.
_SECRETS = tuple(
    (re.compile(pattern), shown)
    for pattern, shown in (
        (r"\b(stw[ar]_)[A-Za-z0-9_-]{8,}", r"\1…"),
        (r"\$argon2[a-z]*\$[^\s'\")]+", "$argon2…"),
        (r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}", r"\1 …"),
        (r"(://[^\s:/@]*):[^\s/@]+@", r"\1:…@"),
        (r"(?m)^DETAIL: .*$", "DETAIL: …"),
    )
)


def form_of(settings: Settings) -> Form:
    if settings.log_format == "auto":
        return "console" if sys.stderr is not None and sys.stderr.isatty() else "json"
    return settings.log_format


def level_of(settings: Settings) -> int:
    """The least that is logged, as `logging` numbers it."""
    return logging.getLevelNamesMapping()[settings.log_level.upper()]


_json = msgspec.json.Encoder(enc_hook=repr).encode


def _encode(event: Event) -> str:
    try:
        return _json(event).decode()
    except ValueError:  # text that is none: half a surrogate pair
        return _encode_anything(event)


def renderer(form: Form) -> Callable[[Event], str]:
    """Of one line (console: perhaps followed by a traceback), without its end."""
    if form == "json":
        return _encode
    # Not the traceback of rich, structlog's default: it shows the values of variables.
    render = ConsoleRenderer(
        colors=sys.stderr is not None and sys.stderr.isatty(),
        exception_formatter=plain_traceback,
        sort_keys=False,
        pad_event_to=0,
    )
    return lambda event: str(render(None, "", event))


def timestamp(seconds: float) -> str:
    """RFC 3339, in UTC, with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def write_line(line: str) -> None:
    """To standard error, at once and in one piece. What cannot be written is lost: a disk that is full, or a reader who
    has gone, must not fail a request, nor the end of the process, so nothing stays in a buffer either."""
    try:
        stream = sys.stderr.buffer
        stream = getattr(stream, "raw", stream)
        rest = memoryview(line.encode("utf-8", "backslashreplace") + b"\n")
        while rest:
            rest = rest[stream.write(rest) or len(rest) :]
    except (OSError, ValueError, AttributeError):  # also where it has been closed, or is none
        pass


def without_secrets(text: str) -> str:
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


class LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_line(self.format(record))
        except Exception:  # such as a message that does not fit its arguments: it must not end what logs it
            self.handleError(record)


class LineFormatter(ProcessorFormatter):
    """A record as `timestamp`, `level`, `logger`, `event`, `request_id` inside a request, and `exception`, a traceback
    in one piece."""

    def __init__(self, form: Form) -> None:
        render = renderer(form)
        super().__init__(processors=[_as_event, lambda _, __, event: render(dict(event))])


def _as_event(_: Any, __: str, given: Any) -> Event:
    record: logging.LogRecord = given["_record"]
    event = {
        "timestamp": timestamp(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": without_secrets(given["event"]),
    }
    if request_id := current_request_id():
        event["request_id"] = request_id
    if given.get("exc_info"):
        traceback = format_exc_info(None, "", {"exc_info": given["exc_info"]})["exception"]
        event["exception"] = without_secrets(str(traceback))
    if given.get("stack_info"):
        event["stack"] = without_secrets(given["stack_info"])
    return event


def logging_of(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`, and it can be pickled: worker processes are given it."""
    level = level_of(settings)
    others = max(level, logging.INFO)  # aiosqlite, for one, logs at debug what it writes into the database
    quiet = max(level, logging.WARNING)
    silent = max(level, logging.ERROR)  # uvicorn warns of whatever bytes a client sends; the access log has them
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LineFormatter, "form": form_of(settings)}},
        "handlers": {
            "stderr": {"()": LineHandler, "formatter": "line"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"level": others, "handlers": ["stderr"]},
        "loggers": {
            "steward": {"level": level},
            # What they tell of an ordinary start and stop is told by the command itself.
            "uvicorn": {"level": silent},
            "alembic": {"level": quiet},
            # With `echo` SQLAlchemy gives a logger that has no handler one of its own, on standard output.
            "sqlalchemy.engine.Engine": {"handlers": ["nowhere"]},
        },
    }
