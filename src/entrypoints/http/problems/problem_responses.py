"""Answers that are problems (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from ....domain import errors
from ....service_layer.tally import may_have_committed
from ...request_id import current_request_id
from ..request_context import context_of
from .problem_types import PROBLEM_TYPES, TOKEN_PATH, ProblemType

MEDIA_TYPE = "application/problem+json"
# A body of a megabyte can hold a hundred thousand faults, and each is many times longer in the answer.
MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of `errors`: `where` is `pointer` (RFC 6901, into the body), `parameter` or `header`. In a body of many
    lines `line` says in which, from 1, and the pointer is into what that line holds."""

    where: str
    name: str
    code: str
    detail: str
    line: int | None = None

    def as_json(self) -> dict[str, str | int]:
        line = {} if self.line is None else {"line": self.line}
        return {self.where: self.name, **line, "code": self.code, "detail": self.detail}


class HttpProblem(Exception):
    """A problem that only the HTTP edge knows."""

    def __init__(
        self, code: str, detail: str, *, headers: Mapping[str, str] | None = None, faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.faults = faults


def pointer(path: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def instance_of(scope: Scope) -> str:
    """The path as it was sent, as a URI reference."""
    path = quote(scope.get("raw_path") or scope["path"].encode(), safe="/%:@!$&'()*+,;=~-._")
    # A reference that begins with two slashes would name a host (RFC 3986 section 4.2).
    return f"/.{path}" if path.startswith("//") else path


def problem_members(
    kind: ProblemType,
    detail: str,
    *,
    instance: str,
    request_id: str,
    faults: Sequence[Fault] = (),
    at_sign_in: bool = False,
) -> dict[str, Any]:
    members: dict[str, Any] = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "instance": instance,
        "request_id": request_id,
    }
    if at_sign_in:
        members |= {"error": _oauth_error(kind), "error_description": detail}
    if faults:
        members["errors"] = [fault.as_json() for fault in faults]
    return members


def problem_response(
    scope: Scope, code: str, detail: str, *, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    return problem_of_type(scope, PROBLEM_TYPES[code], detail, faults=faults, headers=headers)


def problem_of_type(
    scope: Scope,
    kind: ProblemType,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer for a problem of this type, or `failed_after_commit` where the type's promise does not hold."""
    if kind.says_nothing_stored and may_have_committed():
        kind, headers = PROBLEM_TYPES["failed_after_commit"], None
        detail += ". What had been committed before is stored"
    body = problem_members(
        kind,
        detail,
        instance=instance_of(scope),
        request_id=current_request_id(),
        faults=faults,
        at_sign_in=scope["path"].rstrip("/") == TOKEN_PATH,
    )
    all_headers = dict(headers or {})
    if kind.retry_after is not None:
        all_headers["Retry-After"] = str(kind.retry_after)
    # A member's name may hold what UTF-8 cannot carry, an unpaired surrogate: it is the client's own.
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), kind.status, all_headers, MEDIA_TYPE)


def _oauth_error(kind: ProblemType) -> str:
    """RFC 6749 section 5.2, and section 4.1.2.1 for what the server is to blame for."""
    own = {"invalid_credentials": "invalid_grant", "unsupported_grant_type": "unsupported_grant_type"}
    if kind.code in own:
        return own[kind.code]
    if kind.status == 500:
        return "server_error"
    return "invalid_request" if kind.status < 429 else "temporarily_unavailable"


def domain_problem(request: Request, error: errors.StewardError) -> Response:
    """The answer for an error of the domain. Raises it again if it has no place in the table: then it is a bug."""
    if error.code == "internal_error":
        raise error
    faults: Sequence[Fault] = ()
    if isinstance(error, errors.InvalidRows):
        faults = [Fault("pointer", pointer(each.path), each.rule, each.detail, each.line) for each in error.faults]
    elif isinstance(error, errors.InvalidValue):
        in_body = request.method in ("POST", "PUT", "PATCH")
        where, name = ("pointer", pointer(error.path)) if in_body else ("parameter", error.field)
        faults = (Fault(where, name, error.rule, str(error)),)
    detail = str(error)
    if isinstance(error, errors.OutcomeUnknown):
        detail += ". Repeat the request with the same Idempotency-Key, or read first"
    return problem_response(request.scope, error.code, detail, faults=faults, headers=_headers_for(request, error))


def _headers_for(request: Request, error: errors.StewardError) -> dict[str, str]:
    if isinstance(error, errors.NotAuthenticated):
        # RFC 6750 section 3.1: who has sent nothing is not told that something was wrong with it.
        wrong = ', error="invalid_token"' if "authorization" in request.headers else ""
        return {"WWW-Authenticate": f'Bearer realm="steward"{wrong}'}
    if isinstance(error, errors.RateLimited):
        return {
            "Retry-After": str(error.retry_after),
            "RateLimit-Policy": f'"{error.limit}";q={error.quota};w={error.window}',
            "RateLimit": f'"{error.limit}";r=0;t={error.retry_after}',
        }
    if isinstance(error, errors.OutcomeUnknown) and context_of(request.scope).is_repeatable:
        return {"Retry-After": "1"}
    return {}
