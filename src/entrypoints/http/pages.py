"""Keyset pages: each begins after the last row of the one before, so that page 1,000 costs what page 1 costs."""

import base64
import binascii
import json
from typing import Annotated, Any
from urllib.parse import urlencode

from annotated_types import Ge, Le
from fastapi import Query
from starlette.requests import Request

from ...domain.users import MAX_ID
from .answers import JsonAnswer
from .fields import AS_WRITTEN_IN_JSON
from .problems import HttpProblem

_VERSION = 1

Limit = Annotated[int, Ge(1), Le(200), AS_WRITTEN_IN_JSON, Query(description="How many at the most")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]


def page_answer(request: Request, rows: list[dict[str, Any]], limit: int, filters: dict[str, Any]) -> JsonAnswer:
    """`rows` holds one more than `limit` if there is more."""
    page = rows[:limit]
    if len(rows) <= limit:
        return JsonAnswer({"data": page, "next_cursor": None})
    cursor = encode_cursor(page[-1]["id"], filters)
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    link = f'<{request.url.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
    return JsonAnswer({"data": page, "next_cursor": cursor}, headers={"Link": link})


def encode_cursor(last_id: int, filters: dict[str, Any]) -> str:
    text = json.dumps([_VERSION, last_id, filters], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, filters: dict[str, Any]) -> int | None:
    """The id that the page lies below; None for the first page. Raises `HttpProblem` for any cursor that was not made
    here, or was made for a list with other filters."""
    if cursor is None:
        return None
    try:
        version, last_id, made_for = json.loads(base64.b64decode(_padded(cursor), b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise _invalid() from None
    if type(version) is not int or version != _VERSION or made_for != filters:
        raise _invalid()
    if type(last_id) is not int or not 1 <= last_id <= MAX_ID:
        raise _invalid()
    return last_id


def _padded(cursor: str) -> str:
    return cursor + "=" * (-len(cursor) % 4)


def _invalid() -> HttpProblem:
    return HttpProblem("invalid_cursor", "This cursor was not given out for this list")
