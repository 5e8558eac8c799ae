"""`/items/export` and `/items/import`: items as NDJSON or CSV."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO

import httpx2

from .calls import Call, Operation, call
from .uploads import Format, Upload

_EXPORT = Operation("export_items", "GET", "/items/export", harmless=True)
_IMPORT = Operation("import_items", "POST", "/items/import", keyed=True)
IMPORT_TIMEOUT = 300.0  # seconds, for the whole of it: the server checks every line before it answers


def export_items(format: Format) -> Call[httpx2.Response]:
    """The answer is read by whoever called."""
    return call(_EXPORT, lambda response: response, query={"format": format}, streamed=True)


def import_items(upload: Upload, *, timeout: float, idempotency_key: str | None) -> Call[int]:
    """How many were created."""
    return call(
        _IMPORT,
        lambda response: int(response.json()["created"]),
        upload=upload,
        timeout=timeout,
        idempotency_key=idempotency_key,
    )


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Has its name only when it is whole; of a failure nothing is left."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{token_hex(8)}")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
