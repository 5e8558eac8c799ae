"""A file that is sent, perhaps several times over, with the digest of what it holds (RFC 9530)."""

import base64
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Literal, Self

from .values import Item, NewItem

Format = Literal["ndjson", "csv"]
MEDIA_TYPES: dict[Format, str] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}
_SUFFIXES: dict[str, Format] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """`source` is a path, which is read again for each attempt, or a file of our own that can be rewound."""

    source: Path | IO[bytes]
    format: Format
    size: int
    digest: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": MEDIA_TYPES[self.format],
            "Content-Length": str(self.size),
            "Content-Digest": f"sha-256=:{base64.b64encode(self.digest).decode()}:",
        }

    def chunks(self) -> Iterator[bytes]:
        """From its beginning. Raises `OSError`."""
        if isinstance(self.source, Path):
            with self.source.open("rb") as file:
                yield from iter(lambda: file.read(_CHUNK), b"")
        else:
            self.source.seek(0)
            yield from iter(lambda: self.source.read(_CHUNK), b"")  # type: ignore[union-attr]

    @classmethod
    def of_path(cls, path: str | PathLike[str], format: Format | None) -> "Upload":
        """The suffix tells the format if nobody does. Raises `ValueError` if neither tells, and `OSError`."""
        found = Path(fspath(path))
        known = format or _SUFFIXES.get(found.suffix.lower())
        if known is None:
            raise ValueError(f"Is {found.name} NDJSON or CSV? Give `format`")
        with found.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return cls(found, known, file.tell(), digest)


class Spool:
    """Gathers what comes from elsewhere in a temporary file, so that it can be sent again. Leaving deletes it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)

    def copy(self, file: IO[bytes]) -> None:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            self.write(chunk)

    def add(self, item: NewItem | Item) -> None:
        """As a line of NDJSON."""
        line = {
            "name": item.name,
            "description": item.description,
            "quantity": item.quantity,
            "attributes": dict(item.attributes),
        }
        self.write(json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n")

    def upload_of(self, source: str | PathLike[str] | IO[bytes], format: Format | None) -> Upload:
        """Of a path as it is, of a file that somebody has opened by a copy. Raises `ValueError` and `OSError`."""
        if isinstance(source, str | PathLike):
            return Upload.of_path(source, format)
        if format is None:
            raise ValueError("Is the file NDJSON or CSV? Give `format`")
        self.copy(source)
        return self.upload(format)

    def upload(self, format: Format) -> Upload:
        return Upload(self._file, format, self._file.tell(), self._hash.digest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
