"""Reading a JSON body: within its limits, of the right media type, and refusing what readers disagree on.

The framework would turn whatever goes wrong here into one vague 400, or take it in silence.
"""

import json
import math
from itertools import accumulate
from typing import Any

from starlette.requests import Request

from .problems import HttpProblem

JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"

# RFC 8259 section 9: a parser may limit depth and size. A megabyte of empty objects takes thirty in memory, each level
# a frame of the parser's stack, and each unknown member a fault that pydantic describes at length.
MAX_LEVELS = 64
MAX_VALUES = 50_000
MAX_MEMBERS = 5_000

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def accepted_types(method: str) -> tuple[str, ...]:
    """A PATCH is a merge patch by whichever name; to other methods that name means nothing."""
    return (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)


class JsonRequest(Request):
    async def read(self, limit: int) -> None:
        """Read at most `limit` bytes. Raises `HttpProblem`."""
        self._body = await read_within(self, limit)

    def parse(self) -> None:
        """What has been read, if that is anything. Raises `HttpProblem`."""
        if self._body:
            name = "Accept-Patch" if self.method == "PATCH" else "Accept"  # RFC 5789 section 2.2
            check_media_type(self, accepted_types(self.method), told_in=name)
            self._json = parse(self._body)


async def read_within(request: Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes. Raises `HttpProblem` as soon as it is known to be longer."""
    too_large = HttpProblem("body_too_large", f"A body has at most {limit} bytes")
    announced = request.headers.get("content-length", "0").lstrip("0")
    # By its length first: Python makes no integer of thousands of digits.
    if announced.isdecimal() and (len(announced) > len(str(limit)) or int(announced) > limit):
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def check_media_type(request: Request, allowed: tuple[str, ...], *, told_in: str = "Accept") -> None:
    """Raises `HttpProblem`, whose header `told_in` lists the media types that are allowed.

    A charset may be given, although JSON knows no such parameter (RFC 8259 section 11), if it is UTF-8. A body that
    says something else is read by some as what it says, and by others as what it should be.
    """
    if any(value.strip().lower() != "identity" for value in request.headers.getlist("content-encoding")):
        raise HttpProblem(
            "unsupported_media_type",
            "The body has to come as it is, without a Content-Encoding",
            headers={"Accept-Encoding": "identity"},  # RFC 9110 section 15.5.16
        )
    kinds = request.headers.getlist("content-type")
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
    text = _decoded(body)
    _check_extent(body)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise _malformed(f"{what} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # an integer of thousands of digits
        raise _malformed("A number has too many digits") from None


def _decoded(body: bytes) -> str:
    """RFC 8259 section 8.1: UTF-8 without a byte order mark. NUL is never part of JSON, but of UTF-16 and UTF-32."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise _malformed("The body begins with a byte order mark: send it without one")
    if "\0" in text:
        raise _malformed("The body holds NUL bytes: send it in UTF-8")
    return text


def _check_extent(body: bytes) -> None:
    """How deep and how wide, told from the punctuation between the strings before anything is made of it.

    It runs at the speed of C and in linear time. Of what is not JSON it may be mistaken, but only about what stands
    behind the place where the parser stops.
    """
    if len(body) <= MAX_VALUES and body.count(b"[") + body.count(b"{") <= MAX_LEVELS:
        return
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if unescaped.count(b'"') > 4 * MAX_VALUES:  # two for a string, two for the name of its member
        raise _too_wide()
    between = b"".join(unescaped.split(b'"')[::2])
    openings = between.count(b"[") + between.count(b"{")
    if 1 + openings + between.count(b",") > MAX_VALUES:
        raise _too_wide()
    brackets = between.translate(None, _ALL_BUT_BRACKETS)[: 2 * openings]  # of JSON this is all of them
    if max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0) > MAX_LEVELS:
        raise _malformed(f"At most {MAX_LEVELS} levels of nesting")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members) > MAX_MEMBERS:
        raise _malformed(f"At most {MAX_MEMBERS} members in one object")
    # RFC 8259 section 4: what receivers make of repeated names is unpredictable. To keep one is to lose the other.
    whole = dict(members)
    if len(whole) != len(members):
        raise _malformed("An object names a member twice")
    return whole


def _refuse_constant(name: str) -> float:
    raise _malformed(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _malformed("A number is too large")
    return number


def _malformed(detail: str) -> HttpProblem:
    return HttpProblem("malformed_json", detail)


def _too_wide() -> HttpProblem:
    return _malformed(f"At most {MAX_VALUES} values in one document")
