"""A route that should not be used any more says so in each of its answers: when it was deprecated (RFC 9745), when it
may be gone (RFC 8594), and what to use instead.

    @router.get("/things/{thing_id}", ...)
    @deprecated(since=date(2027, 1, 1), sunset=date(2027, 7, 1), successor="/v2/things/{thing_id}")
    async def get(...): ...

It goes on working, after the sunset too: to take it away is another change, and a breaking one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, TypeVar
from urllib.parse import quote

from ..request_context import Headers

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_MARK = "__deprecation__"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Days begin at midnight in UTC. `successor` is a path, in which the parameters of the route's own may stand."""

    since: date
    sunset: date | None = None
    successor: str | None = None
    explained_at: str | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset < self.since:
            raise ValueError("A sunset comes after the deprecation (RFC 9745 section 4)")

    def headers(self, path_params: dict[str, Any]) -> Headers:
        headers = [(b"deprecation", f"@{int(_midnight(self.since).timestamp())}".encode())]
        if self.sunset is not None:
            headers.append((b"sunset", format_datetime(_midnight(self.sunset), usegmt=True).encode()))
        if self.explained_at is not None:
            # The second for RFC 8594 section 6.
            relations = "deprecation" if self.sunset is None else "deprecation sunset"
            headers.append((b"link", f'<{self.explained_at}>; rel="{relations}"; type="text/html"'.encode()))
        if self.successor is not None:  # RFC 5829
            target = re.sub(r"\{(\w+)\}", lambda match: quote(str(path_params[match[1]]), safe=""), self.successor)
            headers.append((b"link", f'<{target}>; rel="successor-version"'.encode()))
        return headers

    def in_words(self) -> str:
        """For the description of the route."""
        words = [f"Deprecated since {self.since.isoformat()}."]
        if self.sunset is not None:
            words.append(f"It may be gone from {self.sunset.isoformat()} on.")
        if self.successor is not None:
            words.append(f"Use `{self.successor}` instead.")
        if self.explained_at is not None:
            words.append(f"See <{self.explained_at}>.")
        return " ".join(words)


def deprecated(
    *, since: date, sunset: date | None = None, successor: str | None = None, explained_at: str | None = None
) -> Callable[[Endpoint], Endpoint]:
    """For the endpoint of a `StrictRoute`, below the decorator of its router. Raises `ValueError` for a sunset that
    comes first."""
    deprecation = Deprecation(since, sunset, successor, explained_at)

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, deprecation)
        return endpoint

    return mark


def deprecation_of(endpoint: Callable[..., Any]) -> Deprecation | None:
    return getattr(endpoint, _MARK, None)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
