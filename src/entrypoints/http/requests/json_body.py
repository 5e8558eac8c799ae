"""Reading a JSON body: within its limits, of the right media type, and refusing what readers disagree on.

The framework would turn whatever goes wrong here into one vague 400, or take it in silence.
"""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request

from ... import strict_json
from ..problems.problem_responses import HttpProblem
from ..request_context import context_of
from .headers import header_lines

JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"


def accepted_types(method: str) -> tuple[str, ...]:
    """A PATCH is a merge patch by whichever name; to other methods that name means nothing."""
    return (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)


def parse_json_body(request: Request, body: bytes) -> Any:
    """Parse `body`, that of `request`. Raises `HttpProblem`, also for another media type."""
    method = request.scope["method"]
    name = "Accept-Patch" if method == "PATCH" else "Accept"  # RFC 5789 section 2.2
    check_media_type(request, accepted_types(method), told_in=name)
    return parse(body)


async def read_within(request: Request, limit: int, *, timeout: float) -> bytes:
    """The body, of at most `limit` bytes. Raises `HttpProblem` as soon as it is known to be longer, and when it has not
    come to its end within `timeout` seconds."""
    check_announced_length(request, limit)
    connection = context_of(request.scope).connection
    if connection is not None and connection.body_has_come():  # as most have: with the head, in one piece
        return await _read(request, limit)
    try:
        async with asyncio.timeout(timeout):
            return await _read(request, limit)
    except TimeoutError:
        raise too_slow(f"The body did not come within {timeout:g} seconds") from None


async def _read(request: Request, limit: int) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def check_announced_length(request: Request, limit: int) -> None:
    """Raises `HttpProblem` if the request says that its body has more than `limit` bytes."""
    announced = next(iter(header_lines(request.scope, b"content-length")), "").lstrip("0")
    # By its length first: Python makes no integer of thousands of digits.
    if announced.isdecimal() and (len(announced) > len(str(limit)) or int(announced) > limit):
        raise too_large(limit)


def too_large(limit: int) -> HttpProblem:
    return HttpProblem("body_too_large", f"A body has at most {limit} bytes")


def too_slow(detail: str) -> HttpProblem:
    return HttpProblem("request_timeout", detail, headers={"Connection": "close"})  # RFC 9110 section 15.5.9


def check_media_type(request: Request, allowed: tuple[str, ...], *, told_in: str = "Accept") -> None:
    """Raises `HttpProblem`, whose header `told_in` lists the media types that are allowed.

    A charset may be given, although JSON knows no such parameter (RFC 8259 section 11), if it is UTF-8. A body that
    says something else is read by some as what it says, and by others as what it should be.
    """
    if any(value.strip().lower() != "identity" for value in header_lines(request.scope, b"content-encoding")):
        raise HttpProblem(
            "unsupported_media_type",
            "The body has to come as it is, without a Content-Encoding",
            headers={"Accept-Encoding": "identity"},  # RFC 9110 section 15.5.16
        )
    kinds = header_lines(request.scope, b"content-type")
    kind, *parameters = kinds[0].split(";") if len(kinds) == 1 else [""]  # of two nobody could say which one is meant
    if kind.strip().lower() not in allowed:
        fault = f"The body has to be {' or '.join(allowed)}"
    elif any(charset != "utf-8" for charset in _charsets(parameters)):
        fault = "The body has to be in UTF-8"
    else:
        return
    raise HttpProblem("unsupported_media_type", fault, headers={told_in: ", ".join(allowed)})


def _charsets(parameters: list[str]) -> list[str]:
    pairs = (parameter.partition("=") for parameter in parameters)
    return [value.strip().strip('"').lower() for name, _, value in pairs if name.strip().lower() == "charset"]


def parse(body: bytes) -> Any:
    """One JSON document. Raises `HttpProblem`, which quotes nothing of the body: it may hold a password."""
    try:
        return strict_json.parse(body)
    except strict_json.MalformedJson as error:
        raise HttpProblem("malformed_json", str(error)) from None
