"""CSV by RFC 4180, in UTF-8, with a header line and CR LF.

A spreadsheet takes a cell that begins with one of `= + - @ TAB CR` for a formula: the export puts an apostrophe before
it, which the import takes off again. So it does with a cell that begins with an apostrophe. An empty cell is null, an
apostrophe alone the empty text.
"""

import csv
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from ...domain.errors import RowFault
from ...domain.items import Item
from ..entity_json import item_json, json_text, time_text
from ..strict_json import MalformedJson, parse
from .rows import IGNORED, KNOWN, Row

COLUMNS = (
    "id",
    "owner_id",
    "name",
    "description",
    "quantity",
    "attributes",
    "created_at",
    "updated_at",
    "version",
)
HEAD = (",".join(COLUMNS) + "\r\n").encode()

_MOST_FAULTS = 100  # of a header, which may have a hundred thousand columns
_GUARDED = re.compile(r"[=+\-@'\t\r]")
_GUARDED_OR_EMPTY = re.compile(r"'(?:[=+\-@'\t\r]|\Z)")
_QUOTED = re.compile(r'[",\r\n]')
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


def write(item: Item) -> bytes:
    members = item_json(item)
    members["attributes"] = json_text(item.attributes)
    members["created_at"], members["updated_at"] = time_text(item.created_at), time_text(item.updated_at)
    return (",".join(_cell(members[name]) for name in COLUMNS) + "\r\n").encode()


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    text = str(value)
    if not text or _GUARDED.match(text):
        text = f"'{text}"
    if _QUOTED.search(text):
        text = '"' + text.replace('"', '""') + '"'
    return text


def read(file: IO[bytes], longest: int) -> Iterator[Row]:
    """A row for each record after the header, none longer than `longest` bytes; records may span lines.

    The columns may come in any order. Behind a place where it is no CSV nothing can be told from anything else: the
    rest is not read.
    """
    lines = _Lines(file, longest)
    # A field has at most 131,072 characters: that limit is the process's, and ours for a record is beside it.
    records = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        line = lines.begin_record()
        try:
            cells = next(records)
        except StopIteration:
            return
        except (csv.Error, _Unreadable) as error:
            detail = f"{error}; nothing beyond was read"
            yield Row.unreadable(line, lines.size, getattr(error, "rule", "malformed_csv"), detail)
            return
        if not cells:
            yield Row(line, lines.size)
        elif header is not None:
            yield _row(line, lines.size, header, cells)
        else:
            header = cells
            if faults := tuple(islice(_faults_of_header(line, header), _MOST_FAULTS)):
                yield Row(line, lines.size, faults=faults)
                return


class _Unreadable(Exception):
    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


class _Lines:
    """The lines of a file as text, ends included: a line break inside a cell stays as it is.

    `size` is how many bytes the present record has had.
    """

    def __init__(self, file: IO[bytes], longest: int) -> None:
        self._file = file
        self._longest = longest
        self._number = 0
        self.size = 0

    def begin_record(self) -> int:
        """The number of the line that it begins with."""
        self.size = 0
        return self._number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(self._longest + 1 - self.size)
        if not line:
            raise StopIteration
        self._number += 1
        self.size += len(line)
        if self.size > self._longest:
            raise _Unreadable("too_long", f"A record has at most {self._longest} bytes")
        try:
            # Spreadsheets put a byte order mark at the beginning.
            return line.decode("utf-8-sig" if self._number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _Unreadable("not_utf8", "The file has to be in UTF-8") from None


def _faults_of_header(line: int, header: list[str]) -> Iterator[RowFault]:
    for name in dict.fromkeys(header):
        if name not in KNOWN:
            yield RowFault(line, (name,), "unknown_member", "There is no such column")
        elif header.count(name) > 1:
            yield RowFault(line, (name,), "repeated_member", "The header names this column twice")
    if "name" not in header:
        yield RowFault(line, ("name",), "missing", "This column is required")


def _row(line: int, size: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        detail = f"The record has {len(cells)} cells, the header {len(header)}"
        return Row.unreadable(line, size, "wrong_number_of_cells", detail)
    members: dict[str, Any] = {}
    faults: list[RowFault] = []
    for name, cell in zip(header, cells, strict=True):
        if name in IGNORED:
            continue
        text = cell[1:] if _GUARDED_OR_EMPTY.match(cell) else cell or None
        try:
            members[name] = _READERS.get(name, _as_it_is)(text)
        except MalformedJson as error:
            faults.append(RowFault(line, (name,), "malformed_json", str(error)))
        except ValueError as error:
            faults.append(RowFault(line, (name,), "int_parsing", str(error)))
    return Row(line, size, members, tuple(faults))


def _integer(text: str | None) -> int | None:
    if text is None:
        return None
    if not _INTEGER.fullmatch(text):
        raise ValueError("This has to be an integer")
    return int(text)


def _json(text: str | None) -> Any:
    return None if text is None else parse(text.encode(), called="The cell")


def _as_it_is(text: str | None) -> str | None:
    return text


_READERS = {"quantity": _integer, "attributes": _json}
