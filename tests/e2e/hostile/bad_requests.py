"""Requests with one thing wrong, made from the OpenAPI document: a new endpoint is attacked without being asked for."""

import copy
import json
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_plus

import httpx2

from tests.support.openapi import Document, Json

from .instances import Known, instances
from .values import (
    AUTHORIZATIONS,
    BODIES,
    CONTENT_TYPES,
    HEADER_VALUES,
    HEADERS,
    HUGE_TEXT,
    JSON_CLASSICS,
    JSON_VALUES,
    URL_CLASSICS,
    URL_TEXTS,
)

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_HERE = "@the hostile value@"
_HERE_IN_JSON = json.dumps(_HERE).encode()
# What an entity has and a client may not set, and names that mean something to some language.
_OTHER_MEMBERS = {
    "id",
    "version",
    "password_hash",
    "role",
    "owner_id",
    "created_at",
    "__class__",
    "__proto__",
    "",
    "\ud800",
}

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """`where` is what a fault may be expected to name: a pointer, or the name of a parameter; empty for the rest."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = None
    headers: Headers = field(default_factory=list)
    where: str = ""

    def to(self, base: httpx2.URL) -> httpx2.Request:
        target = self.path + (f"?{self.query}" if self.query else "")
        url = base.copy_with(raw_path=target.encode("ascii"))
        return httpx2.Request(self.method, url, content=self.body, headers=self.headers)

    def with_header(self, name: bytes, *values: bytes) -> "Request":
        others = [header for header in self.headers if header[0].lower() != name.lower()]
        return replace(self, headers=[*others, *((name, value) for value in values)])


class Sample:
    """Some of many values: in each place those that are tried everywhere, and every `one_in`-th other, beginning
    elsewhere each time, so that all of them are tried somewhere."""

    def __init__(self, one_in: int = 1) -> None:
        self._one_in = one_in
        self._places = 0

    def of(self, values: Sequence[str], classics: AbstractSet[str]) -> list[str]:
        self._places += 1
        return [
            value
            for number, value in enumerate(values)
            if value in classics or (number + self._places) % self._one_in == 0
        ]


@dataclass(frozen=True, slots=True)
class Operation:
    """Its methods raise `KeyError` for an id that is not among those `known`."""

    document: Document
    method: str
    template: str
    operation: Json

    @property
    def id(self) -> str:
        return str(self.operation["operationId"])

    @property
    def wants_sign_in(self) -> bool:
        return bool(self.operation.get("security"))

    def good(self, known: Known) -> Request:
        """One that succeeds."""
        query = "&".join(f"{name}={known.parameters[name]}" for name in self._query() if name in known.parameters)
        path = re.sub(r"\{(\w+)\}", lambda match: str(known.parameters[match[1]]), self.template)
        kind, instances = self._instances(known)
        if kind is None:
            return Request(self.method, path, query)
        return Request(self.method, path, query, _written(kind, instances[0]), [(b"Content-Type", kind.encode())])

    def bad(self, known: Known, sample: Sample) -> Iterator[Request]:
        """Each has one thing wrong."""
        good = self.good(known)
        yield from self._with_bad_parameters(known, good, sample)
        yield from self._with_bad_headers(good)
        kind, instances = self._instances(known)
        if kind is None:
            yield from (replace(good, body=body) for body in BODIES[:20] if body)
            return
        yield from _with_bad_body(good, kind.encode())
        for instance in instances:
            if kind == JSON:
                yield from _bad_members(good, instance, sample)
            elif kind == FORM:
                yield from _bad_fields(good, instance, sample)

    def _query(self) -> list[str]:
        return [each["name"] for each in self.operation.get("parameters", ()) if each["in"] == "query"]

    def _with_bad_parameters(self, known: Known, good: Request, sample: Sample) -> Iterator[Request]:
        for name in re.findall(r"\{(\w+)\}", self.template):
            path = self.template.replace(f"{{{name}}}", "\0")
            path = re.sub(r"\{(\w+)\}", lambda match: str(known.parameters[match[1]]), path)
            for text in sample.of(URL_TEXTS, URL_CLASSICS):
                yield replace(good, path=path.replace("\0", text), where=name)
        for name in self._query():
            for text in sample.of(URL_TEXTS, URL_CLASSICS):
                yield replace(good, query=f"{name}={text}", where=name)
            yield replace(good, query=f"{name}=1&{name}=2", where=name)
            yield replace(good, query=name, where=name)
            yield replace(good, query=f"{name}[]=1", where=f"{name}[]")
        yield from (replace(good, query=f"{text}=1") for text in sample.of(URL_TEXTS[::10], URL_CLASSICS))

    def _with_bad_headers(self, good: Request) -> Iterator[Request]:
        own = [each["name"] for each in self.operation.get("parameters", ()) if each["in"] == "header"]
        for name in own:
            yield from (good.with_header(name.encode(), value) for value in HEADER_VALUES)
            yield good.with_header(name.encode(), b"a", b"b")
        for value in HEADER_VALUES:  # all at once, because none of them means anything here
            yield replace(
                good, headers=[*good.headers, *((name.encode(), value) for name in HEADERS if name not in own)]
            )
        if self.wants_sign_in:
            yield from (good.with_header(b"Authorization", value) for value in AUTHORIZATIONS)
            yield good.with_header(b"Authorization", b"Bearer x", b"Bearer y")

    def _instances(self, known: Known) -> tuple[str | None, list[Any]]:
        content = self.operation.get("requestBody", {}).get("content", {})
        if not content:
            return None, []
        kind = JSON if JSON in content else next(iter(content))
        if kind in (JSON, FORM):
            return kind, list(instances(self.document, content[kind]["schema"], known, ""))
        # Rows: the document knows only that they are text, and gives examples.
        return kind, [example["value"] for example in content[kind]["examples"].values()]


def operations_of(document: Document) -> dict[str, Operation]:
    found = [Operation(document, method, path, operation) for method, path, operation in document.operations()]
    return {each.id: each for each in found}


def _with_bad_body(good: Request, kind: bytes) -> Iterator[Request]:
    assert good.body is not None
    for body in BODIES:
        yield replace(good, body=body.replace(b"%s", good.body))
    for type_ in CONTENT_TYPES:
        yield good.with_header(b"Content-Type", type_)
    yield good.with_header(b"Content-Type")
    yield good.with_header(b"Content-Type", kind, b"text/plain")
    yield from (good.with_header(b"Content-Encoding", value) for value in (b"gzip", b"br, deflate", b"\xff", b"x"))
    yield from (good.with_header(b"Content-Length", value) for value in (b"", b"-1", b"x", b"1e3", b"9" * 5000))


def _bad_members(good: Request, instance: Json, sample: Sample) -> Iterator[Request]:
    for path in _paths(instance):
        where = "".join(f"/{part}" for part in path)
        text = _json(_put(instance, path, _HERE))
        for value in sample.of(JSON_VALUES, JSON_CLASSICS):
            yield replace(good, body=text.replace(_HERE_IN_JSON, value.encode()), where=where)
        yield replace(good, body=_json(_without(instance, path)), where=where.rpartition("/")[0])
        parent = _get(instance, path[:-1])
        if isinstance(parent, dict):
            twice = b"{" + json.dumps(path[-1]).encode() + b":1," + _json(parent)[1:]
            yield replace(good, body=_json(_put(instance, path[:-1], _HERE)).replace(_HERE_IN_JSON, twice))
    for name in _OTHER_MEMBERS - instance.keys():
        yield replace(good, body=_json({**instance, name: 1}), where=f"/{name}")


def _bad_fields(good: Request, instance: Json, sample: Sample) -> Iterator[Request]:
    for name in instance:
        others = {key: value for key, value in instance.items() if key != name}
        for text in (*sample.of(URL_TEXTS, URL_CLASSICS), HUGE_TEXT):
            yield replace(good, body=_form(others) + f"&{name}={text}".encode(), where=f"/{name}")
        yield replace(good, body=_form(others), where=f"/{name}")
        yield replace(good, body=_form(instance) + f"&{name}=x".encode(), where=f"/{name}")
        yield replace(good, body=_form(others) + f"&{name}=é".encode("latin-1"), where=f"/{name}")
    yield from (replace(good, body=_form(instance) + f"&{text}=1".encode()) for text in sample.of(URL_TEXTS, set()))


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[list[Any]]:
    """To every member, from the outside in, but not to the whole."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield [*path, key]
        yield from _paths(member, (*path, key))


def _get(value: Any, path: list[Any]) -> Any:
    for part in path:
        value = value[part]
    return value


def _put(value: Any, path: list[Any], new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    _get(changed, path[:-1])[path[-1]] = new
    return changed


def _without(value: Any, path: list[Any]) -> Any:
    changed = copy.deepcopy(value)
    del _get(changed, path[:-1])[path[-1]]
    return changed


def _written(kind: str, value: Any) -> bytes:
    return _json(value) if kind == JSON else _form(value) if kind == FORM else str(value).encode()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _form(fields: Json | None) -> bytes:
    return "&".join(f"{name}={quote_plus(str(value))}" for name, value in (fields or {}).items()).encode()
