"""What a route says of itself in the OpenAPI document, beyond what FastAPI reads off it.

`document` makes the whole of it, and adds what is true of every operation.
"""

from typing import Any

from ..problems.problem_responses import MEDIA_TYPE
from ..problems.problem_types import PROBLEM_TYPES, ProblemType
from . import examples

_EVERYWHERE = ("invalid_request", "internal_error")
_WITH_DATABASE = ("overloaded", "database_unavailable", "deadline_exceeded", "schema_out_of_date")
_WITH_BODY = ("malformed_json", "request_timeout", "body_too_large", "unsupported_media_type")
_WRITING = ("conflict", "failed_after_commit", "outcome_unknown", "storage_full")
_CONDITIONAL = ("version_mismatch", "precondition_required")
_REPEATABLE = ("malformed_idempotency_key", "idempotency_key_in_use", "idempotency_key_reused")

_TAG = r'(W/)?"[!#-~]*"'
_TAGS = rf"^(\*|{_TAG}( *, *{_TAG})*)$"

# What a request may carry that is read by hand, and what an answer carries: each said once, under `components`.
REQUEST_HEADERS: dict[str, dict[str, Any]] = {
    "If-Match": {
        "description": "Only if this is still its version: entity tags as the server gave them, or `*`. A weak one "
        "(`W/`) never matches (RFC 9110 section 13.1.1)",
        "schema": {"type": "string", "pattern": _TAGS, "examples": [examples.ETAG]},
    },
    "If-None-Match": {
        "description": "Only if it has another version than these (RFC 9110 section 13.1.2)",
        "schema": {"type": "string", "pattern": _TAGS, "examples": ['"7-4"']},
    },
    "Idempotency-Key": {
        "description": "Drawn for each request, such as a UUID, bare or as a string of RFC 8941: a repetition with the "
        "same key has no second effect, and gets the first answer (draft-ietf-httpapi-idempotency-key-header-07)",
        "schema": {
            "type": "string",
            "pattern": r'^("([!#-\[\]-~]|\\["\\]){1,255}"|[!#-~][!-~]{0,254})$',
            "examples": ["4f5cb1d2-6d2a-4d6c-9d55-4b8f4c6f5a10"],
        },
    },
    "Content-Digest": {
        "description": "What the body has to be, by SHA-256 or SHA-512 (RFC 9530): one that was damaged is refused",
        "schema": {"type": "string", "examples": ["sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"]},
    },
    "X-Request-ID": {
        "description": "Comes back and stands in the log: at most 128 characters out of `A-Z a-z 0-9 . _ : / + = @ -`; "
        "another one is ignored",
        "schema": {"type": "string", "examples": [examples.REQUEST_ID]},
    },
}
ANSWER_HEADERS = {
    "ETag": 'A strong validator, `"<id>-<version>"`',
    "Location": "The path of what was created",
    "Link": "Where to go from here: `next` is the next page, when there is one; of a deprecated operation, "
    "`successor-version` is what to use instead",
    "Retry-After": "In seconds; absent where a repetition could do something twice",
    "WWW-Authenticate": "How to sign in (RFC 6750 section 3)",
    "RateLimit": "What is left of a limit, and when it resets, in seconds (draft-ietf-httpapi-ratelimit-headers)",
    "RateLimit-Policy": "The limit: how many in how many seconds",
    "Cache-Control": "`no-store`: tokens are kept nowhere but by the client",
    "Idempotent-Replayed": "`true`: this answer was first given to an earlier request with the same Idempotency-Key",
    "Content-Disposition": "A name for the file",
    "X-Request-ID": "The client's own, or a fresh one",
    "Deprecation": "Since when, as `@` and seconds since 1970 (RFC 9745)",
    "Sunset": "From when on it may be gone (RFC 8594)",
}

Responses = dict[int | str, dict[str, Any]]


def answers(model: type, description: str, *, status: int = 200, headers: tuple[str, ...] = ()) -> Responses:
    return {status: {"model": model, "description": description, "headers": header_references(*headers)}}


def not_modified() -> Responses:
    """Of a route that looks at If-None-Match."""
    return {304: {"description": "It still has this version", "headers": header_references("ETag")}}


def takes(
    *,
    if_match: bool = False,
    if_none_match: bool = False,
    idempotency_key: bool = False,
    content_digest: bool = False,
) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads these header fields by hand."""
    read = {
        "If-Match": if_match,
        "If-None-Match": if_none_match,
        "Idempotency-Key": idempotency_key,
        "Content-Digest": content_digest,
    }
    return {"parameters": [parameter_reference(name) for name, is_read in read.items() if is_read]}


def problems(
    *codes: str,
    database: bool = True,
    writes: bool = False,
    body: bool = False,
    conditional: bool = False,
    repeatable: bool = False,
    bare: bool = False,
) -> Responses:
    """The `responses` of a route: the problems it names, and, unless `bare`, those that any route of its kind can
    have. `conditional`: it changes what If-Match speaks of; `repeatable`: it takes an Idempotency-Key."""
    every = {
        *codes,
        *(() if bare else _EVERYWHERE),
        *(_WITH_DATABASE if database and not bare else ()),
        *(_WRITING if writes else ()),
        *(_WITH_BODY if body else ()),
        *(_CONDITIONAL if conditional else ()),
        *(_REPEATABLE if repeatable else ()),
    }
    by_status: dict[int, list[ProblemType]] = {}
    for kind in PROBLEM_TYPES.values():
        if kind.code in every:
            by_status.setdefault(kind.status, []).append(kind)
    return {status: _problem(kinds) for status, kinds in by_status.items()}


def codes_of(response: dict[str, Any]) -> list[str]:
    """Of an answer that is documented here; empty if it is no problem."""
    if MEDIA_TYPE not in response.get("content", {}):
        return []
    _, ours = response["content"][MEDIA_TYPE]["schema"]["allOf"]
    codes: list[str] = ours["properties"]["code"]["enum"]
    return codes


def header_references(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def parameter_reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _problem(kinds: list[ProblemType]) -> dict[str, Any]:
    codes = {"type": "object", "properties": {"code": {"enum": [kind.code for kind in kinds]}}}
    return {
        "description": "; ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"allOf": [{"$ref": "#/components/schemas/ProblemOut"}, codes]}}},
        "headers": header_references(*sorted({name for kind in kinds for name in _headers_of(kind)})),
    }


def _headers_of(kind: ProblemType) -> tuple[str, ...]:
    if kind.status == 401:
        return ("WWW-Authenticate",)
    if kind.code == "rate_limited":
        return "Retry-After", "RateLimit", "RateLimit-Policy"
    return ("Retry-After",) if kind.retry_after else ()
