"""Newline-delimited JSON: each line is an item, as GET shows it.

Lines end with LF or CR LF; blank ones are skipped. What a line may be is what a JSON body may be.
"""

from collections.abc import Iterator
from typing import IO

from ...domain.items import Item
from ..entity_json import item_json, json_text
from ..strict_json import MalformedJson, parse
from .rows import Row

HEAD = b""
_BLANK = b" \t\r\n"
_MOST_BLANK = 16 * 1024


def write(item: Item) -> bytes:
    return json_text(item_json(item)).encode() + b"\n"


def read(file: IO[bytes], longest: int) -> Iterator[Row]:
    """A row for each line, none longer than `longest` bytes."""
    number = blank = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest:
            size = len(line) + _skip_rest(file, line, longest)
            yield Row.unreadable(number, size, "too_long", f"A line has at most {longest} bytes")
        elif not line.strip(_BLANK):
            blank += len(line)
            if blank >= _MOST_BLANK:  # megabytes of them would keep whoever reads waiting for the next row
                yield Row(number, blank)
                blank = 0
        else:
            yield _row(number, line)


def _row(number: int, line: bytes) -> Row:
    try:
        members = parse(line, called="The line")
    except MalformedJson as error:
        detail = error.reason if error.at is None else f"{error.reason} at column {error.at[1]}"
        return Row.unreadable(number, len(line), "malformed_json", detail)
    if not isinstance(members, dict):
        return Row.unreadable(number, len(line), "object_type", "This has to be a JSON object")
    return Row(number, len(line), members)


def _skip_rest(file: IO[bytes], line: bytes, longest: int) -> int:
    """To the end of the line, without holding it; the number of bytes."""
    skipped = 0
    while line and not line.endswith(b"\n"):
        line = file.readline(longest)
        skipped += len(line)
    return skipped
