"""Conditional requests (RFC 9110 section 13): what If-Match and If-None-Match say about versions."""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ....domain.errors import VersionMismatch
from ....domain.versions import Condition, Expected
from ..dependencies import container_of
from ..problems.problem_responses import Fault, HttpProblem
from .headers import header_lines

# RFC 9110 section 8.8.3. A list may have empty elements (section 5.6.1).
_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE = re.compile(_TAG)
_VERSION = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class _Field:
    """The tags of one header field, each with whether it is weak; None where it says `*`."""

    tags: tuple[tuple[bool, str], ...] | None

    def versions(self, entity_id: int, *, weak: bool) -> frozenset[int] | None:
        """Those of this entity; other tags match no version of it. None for any version."""
        if self.tags is None:
            return None
        found = (_VERSION.fullmatch(tag) for is_weak, tag in self.tags if weak or not is_weak)
        return frozenset(int(each[2]) for each in found if each is not None and int(each[1]) == entity_id)


def expected_version(request: Request, entity_id: int) -> Expected:
    """What the caller says of the version that is to be changed. If-Match compares strongly.

    Raises `HttpProblem` for fields that are malformed; that one is missing is told when the entity has been found.
    """
    if_match, if_none_match = _field(request, "If-Match"), _field(request, "If-None-Match")
    is_missing = if_match is None and container_of(request).settings().require_if_match
    one_of = None if if_match is None else if_match.versions(entity_id, weak=False)
    none_of = frozenset[int]() if if_none_match is None else if_none_match.versions(entity_id, weak=True)
    if one_of is None and none_of == frozenset() and not is_missing:
        return None
    if one_of is not None and len(one_of) == 1 and none_of == frozenset():
        (version,) = one_of
        return version
    return Condition(one_of, none_of, is_missing=is_missing)


def unless_unchanged(request: Request, answer: Response) -> Response:
    """`answer`, which shows an entity, or 304 if the caller has that very version. If-None-Match compares weakly.

    An answer without an ETag is the same as none but `*`. Raises `VersionMismatch` if If-Match says so: it is
    evaluated first (section 13.2.2).
    """
    if_match, if_none_match = _field(request, "If-Match"), _field(request, "If-None-Match")
    if if_match is None and if_none_match is None:
        return answer
    shown = answer.headers.get("ETag", "").strip('"')
    if if_match is not None and if_match.tags is not None and (not shown or (False, shown) not in if_match.tags):
        raise VersionMismatch
    if if_none_match is None:
        return answer
    if if_none_match.tags is None or shown in {tag for _, tag in if_none_match.tags if shown}:
        return Response(status_code=304, headers={"ETag": f'"{shown}"'} if shown else None)
    return answer


def _field(request: Request, name: str) -> _Field | None:
    lines = header_lines(request.scope, name.lower().encode())
    if not lines:
        return None
    value = ",".join(lines).strip(" \t")
    if value == "*":
        return _Field(None)
    if not _TAGS.fullmatch(value):
        fault = Fault("header", name, "malformed_entity_tags", 'Send * or entity tags as the server gave them: "7-3"')
        raise HttpProblem("invalid_request", fault.detail, faults=[fault])
    return _Field(tuple((bool(weak), tag) for weak, tag in _ONE.findall(value)))
