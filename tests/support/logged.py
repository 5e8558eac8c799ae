"""What a server process has logged, as a program reads it."""

import json
import time
from typing import Any

from .steward_server import StewardServer

_LIMIT = 60.0  # seconds; a line that does not come must end the test

Record = dict[str, Any]


def records(server: StewardServer) -> list[Record]:
    """Each line is one JSON object, whoever has logged it."""
    return [json.loads(line) for line in list(server.errors)]


def access_line(server: StewardServer, request_id: str) -> Record:
    """That of one request; it is written after the client has its answer."""
    (line,) = [each for each in _logged(server, request_id) if each["logger"] == "steward.access"]
    return line


def records_of(server: StewardServer, request_id: str) -> list[Record]:
    """All of one request but its line in the access log."""
    return [each for each in _logged(server, request_id) if each["logger"] != "steward.access"]


def _logged(server: StewardServer, request_id: str) -> list[Record]:
    """Everything that says it is of this request, which has been answered."""
    give_up_at = time.monotonic() + _LIMIT
    while True:
        found = [each for each in records(server) if each.get("request_id") == request_id]
        if any(each["logger"] == "steward.access" for each in found):
            return found
        assert time.monotonic() < give_up_at, f"nothing was logged of {request_id}: {server.errors}"
        time.sleep(0.02)
