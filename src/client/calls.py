"""A call: what is to be sent and how the answer is read, without any I/O."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import uuid4

import httpx2

from .uploads import Upload
from .values import UNSET

Result = TypeVar("Result")

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One of those in the server's OpenAPI document: `path` has its parameters in braces.

    A `keyed` one takes an Idempotency-Key, so that it may be repeated when its answer was lost. A `harmless` one may be
    anyway, and nobody has to know whether it was done.
    """

    id: str
    method: str
    path: str
    keyed: bool = False
    harmless: bool = False

    @property
    def may_be_repeated(self) -> bool:
        return self.harmless or self.keyed


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """`read` makes the result of a successful answer, or of a 304. `timeout` (seconds) overrides the client's.

    Of a `streamed` answer the body has not been read yet. The body may hold a password, so it is not shown.
    """

    operation: Operation
    path: str
    read: Callable[[httpx2.Response], Result]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Upload | None = field(default=None, repr=False)
    signed: bool = True
    streamed: bool = False
    timeout: float | None = None
    idempotency_key: str | None = None


def call(
    operation: Operation,
    read: Callable[[httpx2.Response], Result],
    *,
    at: int | str | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: object = None,
    upload: Upload | None = None,
    signed: bool = True,
    streamed: bool = False,
    timeout: float | None = None,
    idempotency_key: str | None = None,
) -> Call[Result]:
    """`at` is the parameter of the path, `body` becomes JSON. Without a key a keyed operation gets one of its own, the
    same for each repetition. Raises `ValueError` for what JSON does not know, such as NaN."""
    given = dict(headers or {})
    content: bytes | Upload | None = upload
    if body is not None:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        given["Content-Type"] = MERGE_PATCH if operation.method == "PATCH" else JSON
    elif upload is not None:
        given |= upload.headers
    key = (str(uuid4()) if idempotency_key is None else idempotency_key) if operation.keyed else None
    if key is not None:
        given["Idempotency-Key"] = _quoted(key)
    return Call(
        operation,
        path=_path(operation.path, at),
        read=read,
        query=query or {},
        headers=given,
        body=content,
        signed=signed,
        streamed=streamed,
        timeout=timeout,
        idempotency_key=key,
    )


def given(**members: object) -> dict[str, Any]:
    """Those that are not `UNSET`: absent is not null."""
    return {name: value for name, value in members.items() if value is not UNSET}


def describe(method: Callable[..., Any], make: Callable[..., Any]) -> None:
    """For `help` and the like: name, parameters and docstring of what the method was made of."""
    method.__name__ = method.__qualname__ = make.__name__
    method.__doc__ = make.__doc__
    parameters = inspect.signature(make).replace(return_annotation=inspect.Signature.empty)
    method.__signature__ = parameters  # type: ignore[attr-defined]


def nothing(_response: httpx2.Response) -> None:
    """Of an answer without a body."""


def _path(template: str, at: int | str | None) -> str:
    before, brace, rest = template.partition("{")
    return before + str(at) + rest.partition("}")[2] if brace else template


def _quoted(key: str) -> str:
    """A string of RFC 8941 section 3.3.3."""
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
