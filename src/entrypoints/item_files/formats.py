"""Which formats there are."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import IO

from ...domain.items import Item
from . import csv, ndjson
from .rows import Row

PIECE_BYTES = 64 * 1024


class Format(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """Of RFC 4180 for CSV; NDJSON has none that is registered."""
        return _MEDIA_TYPES[self]

    @property
    def head(self) -> bytes:
        """What stands before the first item."""
        return csv.HEAD if self is Format.CSV else ndjson.HEAD

    def write(self, items: Iterable[Item]) -> Iterator[bytes]:
        """Whole lines, some `PIECE_BYTES` at a time."""
        write = csv.write if self is Format.CSV else ndjson.write
        lines: list[bytes] = []
        size = 0
        for item in items:
            line = write(item)
            lines.append(line)
            size += len(line)
            if size >= PIECE_BYTES:
                yield b"".join(lines)
                lines, size = [], 0
        if lines:
            yield b"".join(lines)

    def read(self, file: IO[bytes], longest: int) -> Iterator[Row]:
        """A row for each line; see the formats."""
        return csv.read(file, longest) if self is Format.CSV else ndjson.read(file, longest)


_MEDIA_TYPES = {Format.NDJSON: "application/x-ndjson", Format.CSV: "text/csv"}
BY_MEDIA_TYPE = {media_type: format for format, media_type in _MEDIA_TYPES.items()}
BY_SUFFIX = {".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON, ".csv": Format.CSV}
