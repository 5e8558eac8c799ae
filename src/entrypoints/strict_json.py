"""One JSON document, refusing what readers disagree on: of a request's body, or of one line of a file."""

import json
import math
from itertools import accumulate
from typing import Any

# RFC 8259 section 9: a parser may limit depth and size. A megabyte of empty objects takes thirty in memory, each level
# a frame of the parser's stack, and each unknown member a fault that pydantic describes at length.
MAX_LEVELS = 64
MAX_VALUES = 50_000
MAX_MEMBERS = 5_000

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class MalformedJson(ValueError):
    """Quotes nothing of the document: it may hold a password. `at` is the line and the column where the parser gave up,
    counted from 1, or None."""

    def __init__(self, reason: str, at: tuple[int, int] | None = None) -> None:
        super().__init__(reason if at is None else f"{reason} at line {at[0]}, column {at[1]}")
        self.reason = reason
        self.at = at


def parse(document: bytes, *, called: str = "The body") -> Any:
    """Raises `MalformedJson`, which speaks of the document as it is `called`."""
    text = _decoded(document, called)
    _check_extent(document)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJson(error.msg.removesuffix(" at"), (error.lineno, error.colno)) from None
    except MalformedJson:
        raise
    except ValueError:  # an integer of thousands of digits
        raise MalformedJson("A number has too many digits") from None


def _decoded(document: bytes, called: str) -> str:
    """RFC 8259 section 8.1: UTF-8 without a byte order mark. NUL is never part of JSON, but of UTF-16 and UTF-32."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedJson(f"{called} is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise MalformedJson(f"{called} begins with a byte order mark: send it without one")
    if "\0" in text:
        raise MalformedJson(f"{called} holds NUL bytes: send it in UTF-8")
    return text


def _check_extent(document: bytes) -> None:
    """How deep and how wide, told from the punctuation between the strings before anything is made of it.

    It runs at the speed of C and in linear time. Of what is not JSON it may be mistaken, but only about what stands
    behind the place where the parser stops.
    """
    if len(document) <= MAX_VALUES and document.count(b"[") + document.count(b"{") <= MAX_LEVELS:
        return
    unescaped = document.replace(rb"\\", b"").replace(rb"\"", b"")
    if unescaped.count(b'"') > 4 * MAX_VALUES:  # two for a string, two for the name of its member
        raise _too_wide()
    between = b"".join(unescaped.split(b'"')[::2])
    openings = between.count(b"[") + between.count(b"{")
    if 1 + openings + between.count(b",") > MAX_VALUES:
        raise _too_wide()
    brackets = between.translate(None, _ALL_BUT_BRACKETS)[: 2 * openings]  # of JSON this is all of them
    if max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0) > MAX_LEVELS:
        raise MalformedJson(f"At most {MAX_LEVELS} levels of nesting")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members) > MAX_MEMBERS:
        raise MalformedJson(f"At most {MAX_MEMBERS} members in one object")
    # RFC 8259 section 4: what receivers make of repeated names is unpredictable. To keep one is to lose the other.
    whole = dict(members)
    if len(whole) != len(members):
        raise MalformedJson("An object names a member twice")
    return whole


def _refuse_constant(name: str) -> float:
    raise MalformedJson(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedJson("A number is too large")
    return number


def _too_wide() -> MalformedJson:
    return MalformedJson(f"At most {MAX_VALUES} values in one document")


# Made once: `json.loads` would make one for each document, which takes longer than to read a short one.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
