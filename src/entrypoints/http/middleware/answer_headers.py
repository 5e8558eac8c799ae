"""The headers that every answer has, whoever made it; what a route has set by itself stays.

There is no Strict-Transport-Security among them: TLS is the proxy's, and so is the promise of it.
"""

from collections.abc import Iterable

from ..request_context import Headers

_DEFAULTS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_KEPT_BY_THE_CLIENT_ALONE = (b"cache-control", b"private, no-cache")
_ALL = [*_DEFAULTS, (b"vary", b"Authorization"), _KEPT_BY_THE_CLIENT_ALONE]
_NAMES = frozenset(name for name, _ in _ALL)


def complete_headers(given: Iterable[tuple[bytes, bytes]], request_id: str) -> Headers:
    """`given` and what is missing in it.

    An answer that says nothing about caching may be kept by the client alone, who asks before each use, and belongs
    to the credentials that it was asked with (RFC 9111 section 5.2.2, RFC 9110 section 12.5.5).
    """
    headers = [*given, (b"x-request-id", request_id.encode("ascii"))]
    names = {name for name, _ in headers}
    if names.isdisjoint(_NAMES):  # as in most answers: they say nothing of all this
        return headers + _ALL
    headers += [default for default in _DEFAULTS if default[0] not in names]
    if b"cache-control" not in names:
        headers = [*_varied(headers), _KEPT_BY_THE_CLIENT_ALONE]
    return headers


def _varied(headers: Headers) -> Headers:
    """In one header: some caches read the first one only."""
    varies = [value for name, value in headers if name == b"vary"]
    by = {field.strip().lower() for value in varies for field in value.split(b",")}
    if not by & {b"authorization", b"*"}:
        varies.append(b"Authorization")
    return [*(header for header in headers if header[0] != b"vary"), (b"vary", b", ".join(varies))]
