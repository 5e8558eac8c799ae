"""What holds for every answer, whatever operation it is from: the rules that a `Contract` applies."""

import re
from typing import Any
from urllib.parse import unquote

import httpx2

PROBLEM = "application/problem+json"
OUTSIDE_THE_DOCUMENT = re.compile(r"/openapi\.json|/docs(/start\.js|/assets/[^/]+)?")
_INTERNALS = re.compile(
    r"Traceback|\bSELECT\b|\bINSERT INTO\b|\bUPDATE \w+ SET\b|\bDELETE FROM\b|sqlalchemy|asyncpg|aiosqlite|sqlite3"
    r"|\.py\b|site-packages|/home/|/tmp/|/usr/",
    re.IGNORECASE,
)
# Nothing was stored, so the request may be repeated; of `outcome_unknown` nobody knows.
_TRY_LATER = {
    *("overloaded", "database_unavailable", "deadline_exceeded", "schema_out_of_date", "shutting_down"),
    *("rate_limited", "idempotency_key_in_use"),
}
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TOKEN_PATH = "/auth/token"
_WITH_A_TOKEN = re.compile(r"stw[ar]_[A-Za-z0-9_-]{43}")
# RFC 6749 section 5.2, and section 4.1.2.1 for what is not the client's fault.
_OAUTH_ERRORS = {
    *("invalid_request", "invalid_grant", "unsupported_grant_type"),
    *("server_error", "temporarily_unavailable"),
}


def check_security_headers(headers: httpx2.Headers) -> None:
    assert {name: headers.get(name) for name in _SECURITY_HEADERS} == _SECURITY_HEADERS
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)


def check_caching(response: httpx2.Response) -> None:
    """RFC 9111 section 5.2.2: nobody keeps a token, and of what was shown to one user another gets nothing."""
    caching = response.headers["Cache-Control"]
    if OUTSIDE_THE_DOCUMENT.fullmatch(path_of(response).removesuffix("/")):
        return
    if _WITH_A_TOKEN.search(response.text):
        assert caching == "no-store"
    else:
        assert caching == "private, no-cache"
        assert "Authorization" in response.headers["Vary"].split(", ")


def _of_our_own(problem: dict[str, Any]) -> str:
    """Without what the client has named itself."""
    faults = [(fault["code"], fault["detail"]) for fault in problem.get("errors", ())]
    return str([value for name, value in problem.items() if name not in ("instance", "errors")] + faults)


def check_problem(response: httpx2.Response) -> None:
    assert response.headers["Content-Type"] == PROBLEM
    problem = response.json()
    assert not _INTERNALS.search(_of_our_own(problem)), response.text
    assert problem["status"] == response.status_code
    assert problem["type"] == "/problems/" + problem["code"].replace("_", "-")
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["instance"].removeprefix("/.") == _raw_path_of(response)
    assert problem["title"]
    assert problem["detail"]
    later = problem["code"] in _TRY_LATER
    if problem["code"] == "outcome_unknown":  # a repetition is safe by its key alone
        later = "Idempotency-Key" in response.request.headers
    assert (response.headers.get("Retry-After") is not None) == later
    _check_sign_in_members(response, problem)
    _check_limit(response)
    for fault in problem.get("errors", ()):
        assert len(fault.keys() & {"pointer", "parameter", "header"}) == 1
        assert re.fullmatch(r"(/([^~/]|~[01])*)*", fault.get("pointer", ""), re.DOTALL)


def _check_sign_in_members(response: httpx2.Response, problem: dict[str, Any]) -> None:
    challenge = response.headers.get("WWW-Authenticate")
    assert (challenge is not None) == (response.status_code == 401)
    if challenge is not None:  # RFC 6750 section 3
        told = ', error="invalid_token"' if "Authorization" in response.request.headers else ""
        assert challenge == f'Bearer realm="steward"{told}'
    assert ("error" in problem) == ("error_description" in problem) == (path_of(response).rstrip("/") == _TOKEN_PATH)
    if "error" in problem:
        assert problem["error"] in _OAUTH_ERRORS
        assert problem["error_description"] == problem["detail"]
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", problem["error_description"])


def _check_limit(response: httpx2.Response) -> None:
    """draft-ietf-httpapi-ratelimit-headers: the policy's name, how many in how many seconds, and what is left."""
    limit, policy = response.headers.get("RateLimit"), response.headers.get("RateLimit-Policy")
    assert (limit is not None) == (policy is not None) == (response.status_code == 429)
    if limit is not None and policy is not None:
        name, left, seconds = _parts(limit, r'"([a-z-]+)";r=(\d+);t=(\d+)')
        assert (left, seconds) == ("0", response.headers["Retry-After"])
        assert int(seconds) >= 1
        assert _parts(policy, r'"([a-z-]+)";q=[1-9]\d*;w=[1-9]\d*') == (name,)


def _parts(header: str, pattern: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, header)
    assert found is not None, header
    return found.groups()


def _raw_path_of(response: httpx2.Response) -> str:
    return response.request.url.raw_path.decode().partition("?")[0]


def path_of(response: httpx2.Response) -> str:
    """Decoded, except for what would be taken for a separator or overlooked by a pattern."""
    return "/".join(re.sub(r"[/\n]", "%", unquote(segment)) for segment in _raw_path_of(response).split("/"))
