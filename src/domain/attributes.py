"""`attributes`: any JSON object an item carries, within bounds that every store and every client can keep."""

import json
import math
from collections.abc import Mapping
from typing import Any

from .errors import InvalidValue
from .text import check_text

MAX_BYTES = 16 * 1024
MAX_LEVELS = 8
MAX_INTEGER = 2**53 - 1  # beyond it, readers that keep numbers as doubles lose digits (RFC 8259 section 6)

Attributes = dict[str, Any]


def check_attributes(value: object) -> Attributes:
    """Return a copy of `value` if it is a JSON object within bounds; raises `InvalidValue` otherwise.

    Bounds: 16 KiB as compact UTF-8 JSON, 8 levels (the object itself is the first), finite numbers, integers
    inside ±(2^53-1), text without controls (tab and line breaks pass) and without unpaired surrogates.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue("attributes", "object_type", "attributes must be a JSON object")
    copy: Attributes = _checked(value, ("attributes",), 1)
    size = len(json.dumps(copy, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        raise InvalidValue("attributes", "too_large", f"At most {MAX_BYTES} bytes of JSON, these are {size}")
    return copy


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Attributes:
    """RFC 7396: members of `patch` replace those of `target`, objects merge, null takes a member away."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            below = merged.get(name)
            merged[name] = merge_patch(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def _checked(value: object, path: tuple[str | int, ...], level: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text(path, value, least=0, most=MAX_BYTES, multiline=True)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InvalidValue(path, "integer_out_of_range", "Integers must lie inside ±(2^53-1)")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue(path, "finite_number", "NaN and Infinity are not JSON numbers")
        return value
    if not isinstance(value, (Mapping, list, tuple)):
        raise InvalidValue(path, "json_type", "JSON holds objects, arrays, strings, numbers, booleans and null alone")
    if level > MAX_LEVELS:
        raise InvalidValue(path, "too_deep", f"At most {MAX_LEVELS} levels of nesting")
    if isinstance(value, Mapping):
        return {_name(key, path): _checked(member, (*path, key), level + 1) for key, member in value.items()}
    return [_checked(member, (*path, index), level + 1) for index, member in enumerate(value)]


def _name(key: object, path: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise InvalidValue(path, "member_name", "The names of JSON members are strings")
    return check_text(path, key, least=0, most=MAX_BYTES, multiline=True)
