"""`attributes`: any JSON object an item carries, within bounds that every store and every client can keep."""

import json
import math
from collections.abc import Mapping
from typing import Any

from .errors import InvalidValue
from .text import check_characters

MAX_BYTES = 16 * 1024
MAX_LEVELS = 8
MAX_INTEGER = 2**53 - 1  # beyond it, readers that keep numbers as doubles lose digits (RFC 8259 section 6)

# Made once: `json.dumps` makes one for each call.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

Attributes = dict[str, Any]
Path = tuple[str | int, ...]


def check_attributes(value: object) -> Attributes:
    """Return a deep copy of `value` if it is a JSON object within bounds. Raises `InvalidValue`.

    Bounds: 16 KiB as compact JSON in UTF-8, 8 levels (the object itself is the first), finite numbers, integers
    inside ±(2^53-1), text (names of members too) without unpaired surrogates and without control characters other than
    tab and line breaks.
    """
    copy = _checked_object(value)
    # Most are far smaller. What is one character of `repr` is at most four bytes of JSON.
    if 4 * len(repr(copy)) <= MAX_BYTES:
        return copy
    size = len(as_json(copy).encode())
    if size > MAX_BYTES:
        raise InvalidValue("attributes", "too_large", f"At most {MAX_BYTES} bytes of JSON, these are {size}")
    return copy


def patch_attributes(attributes: Attributes, patch: object) -> Attributes:
    """Return `attributes` with the merge patch applied, checked as a whole. Raises `InvalidValue`.

    The patch itself may be larger than what it leaves: taking a member away takes more bytes than the member has.
    """
    return check_attributes(merge_patch(attributes, _checked_object(patch)))


def merge_patch(target: object, patch: object) -> Any:
    """MergePatch of RFC 7396 section 2, on any JSON values; neither is changed.

    Objects merge, null takes a member away, and anything else, arrays included, replaces what was there. Members
    keep their places, new ones come last.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def as_json(attributes: Attributes) -> str:
    """Compact JSON. Unlike `==` it tells 1, 1.0 and true apart, and the orders of members."""
    return _encode(attributes)


def _checked_object(value: object) -> Attributes:
    if not isinstance(value, (dict, Mapping)):
        raise InvalidValue("attributes", "object_type", "The attributes are a JSON object")
    copy: Attributes = _checked(value, ("attributes",), 1)
    return copy


def _checked(value: object, path: Path, level: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_characters(path, value, multiline=True)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InvalidValue(path, "integer_out_of_range", "Integers lie inside ±(2^53-1)")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue(path, "finite_number", "NaN and Infinity are not JSON numbers")
        return value
    if not isinstance(value, (dict, list, tuple, Mapping)):  # `dict` first: to ask `Mapping` is slow
        raise InvalidValue(path, "json_type", "JSON holds objects, arrays, strings, numbers, booleans and null alone")
    if level > MAX_LEVELS:
        raise InvalidValue(path, "too_deep", f"At most {MAX_LEVELS} levels of nesting")
    if isinstance(value, (dict, Mapping)):
        return {_checked_name(name, path): _checked(member, (*path, name), level + 1) for name, member in value.items()}
    return [_checked(member, (*path, index), level + 1) for index, member in enumerate(value)]


def _checked_name(name: object, path: Path) -> str:
    if not isinstance(name, str):
        raise InvalidValue(path, "member_name", "The names of JSON members are strings")
    return check_characters(path, name, multiline=True)
