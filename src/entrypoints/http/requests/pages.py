"""Pages over HTTP: the parameters of lists, and cursors.

A cursor is a position that only this server can have given out. It holds a version, a signature and the position; the
signature is also over what the cursor was made for: the list, whose it is, the filters and the sort. `limit`, `count`
and `expand` are free to change from page to page.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from annotated_types import Ge, Le
from fastapi import Depends, Query
from starlette.requests import Request

from ....bootstrap import Container
from ....domain.pages import Page, Position
from ..answers import JsonAnswer
from ..dependencies import get_container
from ..problems.problem_responses import HttpProblem
from .fields import AS_WRITTEN_IN_JSON, BOOLEAN_AS_WRITTEN_IN_JSON

_VERSION = b"\x02"
_SIGNATURE = 16  # bytes of the HMAC-SHA-256 that are kept (RFC 2104 section 5: half of them, and no fewer than 10)

Json = dict[str, Any]

Limit = Annotated[int, Ge(1), Le(200), AS_WRITTEN_IN_JSON, Query(description="How many at the most")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]
Count = Annotated[
    bool, BOOLEAN_AS_WRITTEN_IN_JSON, Query(description="Say in `count` how many there are, all pages together")
]


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What a request says about the page that it wants."""

    request: Request
    key: bytes
    limit: int
    cursor: str | None
    count: bool

    def arguments(self, made_for: Json) -> dict[str, Any]:
        """Those of a use case that lists. Raises `HttpProblem` for a cursor that was not made for this list."""
        after = None if self.cursor is None else decode_cursor(self.key, self.cursor, made_for)
        return {"after": after, "limit": self.limit, "count": self.count}

    def answer(self, page: Page[Any], rows: list[Json], made_for: Json) -> JsonAnswer:
        """`rows` are those of the `page` as they look on the wire."""
        content: Json = {"data": rows, "next_cursor": None}
        if page.count is not None:
            content["count"] = page.count
        if page.next is None:
            return JsonAnswer(content)
        content["next_cursor"] = encode_cursor(self.key, page.next, made_for)
        return JsonAnswer(content, headers={"Link": self._link(content["next_cursor"])})

    def _link(self, cursor: str) -> str:
        scope = self.request.scope
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = [(name, value) for name, value in given if name != "cursor"]
        return f'<{scope["path"]}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'


async def asked_page(
    request: Request,
    container: Annotated[Container, Depends(get_container)],
    limit: Limit = 50,
    cursor: Cursor = None,
    count: Count = False,
) -> AskedPage:
    return AskedPage(request, container.cursor_key(), limit, cursor, count)


CurrentPage = Annotated[AskedPage, Depends(asked_page)]


def encode_cursor(key: bytes, position: Position, made_for: Json) -> str:
    text = _write_position(position).encode()
    return _armoured(_VERSION + _sign(key, text, made_for) + text)


def decode_cursor(key: bytes, cursor: str, made_for: Json) -> Position:
    """Raises `HttpProblem` for any cursor that was not given out here, or was made for another list."""
    try:
        signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise _invalid() from None
    if _armoured(signed) != cursor:  # Python passes over what is not in its alphabet
        raise _invalid()
    version, signature, text = signed[:1], signed[1 : 1 + _SIGNATURE], signed[1 + _SIGNATURE :]
    if version != _VERSION or not hmac.compare_digest(signature, _sign(key, text, made_for)):
        raise _invalid()
    return tuple(datetime.fromisoformat(value[0]) if isinstance(value, list) else value for value in json.loads(text))


def _armoured(signed: bytes) -> str:
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


def _sign(key: bytes, text: bytes, made_for: Json) -> bytes:
    list_and_filters = _write_filters(made_for).encode()  # without line breaks
    return hmac.digest(key, _VERSION + list_and_filters + b"\n" + text, "sha256")[:_SIGNATURE]


def _time_in_a_list(value: object) -> list[str]:
    assert isinstance(value, datetime)
    return [value.isoformat()]


# Made once: `json.dumps` makes one each time.
_write_position = json.JSONEncoder(default=_time_in_a_list, ensure_ascii=False, separators=(",", ":")).encode
_write_filters = json.JSONEncoder(default=str, sort_keys=True).encode


def _invalid() -> HttpProblem:
    return HttpProblem("invalid_cursor", "This cursor was not given out for this list")
