"""The access log: a line for each request, after the last byte of its answer, or when there will be no more."""

import logging
import time
from typing import Any

from ....config import Settings
from ...logs import form_of, level_of, renderer, timestamp, write_line
from .observed import End, Exchange

# Straight to standard error: a record of `logging` for each request would cost three times as much.


_LEVELS = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


class AccessLog:
    """Neither path nor query, which may hold what only client and server should know: the route's template. What went
    wrong on our side is a warning, a bug an error, so that STEWARD_LOG_LEVEL can leave out all the others."""

    def __init__(self, settings: Settings) -> None:
        self._least = level_of(settings)
        self._render = renderer(form_of(settings))

    def saw(self, exchange: Exchange) -> None:
        if level_of_line(exchange) >= self._least:
            write_line(self._render(line_of(exchange)))


def level_of_line(exchange: Exchange) -> int:
    if exchange.status == 500:
        return logging.ERROR
    if exchange.end in (End.BROKEN_OFF, End.CUT_OFF) or (exchange.status or 0) > 500:
        return logging.WARNING
    return logging.INFO


def line_of(exchange: Exchange) -> dict[str, Any]:
    line = {
        "timestamp": timestamp(time.time()),
        "level": _LEVELS[level_of_line(exchange)],
        "logger": "steward.access",
        "event": "request",
        "request_id": exchange.request_id,
        "actor_id": exchange.actor_id,
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "end": str(exchange.end),
        "duration_ms": round(exchange.seconds * 1000, 3),
        "bytes": exchange.size,
        "retries": exchange.tally.retries,
        "unknown_outcomes": exchange.tally.unknown_outcomes,
    }
    if exchange.code is not None:
        line["code"] = exchange.code
    return line
