"""What a call raises.

StewardError
├── ConnectionFailed        no answer could be had; nothing was changed
├── OutcomeUnknown          it may or may not have been done: nobody can know without asking
├── UnexpectedAnswer        this is not what Steward answers: something in between, or another version
└── ProblemError            the server said no (RFC 9457): `status`, `code`, `detail`, `errors`, …
    ├── InvalidCredentials  400: wrong name or password
    ├── NotAuthenticated    401: not signed in, or no longer
    ├── Forbidden           403
    ├── NotFound            404: also what belongs to someone else
    ├── Refused             409: not as things stand
    │   ├── UsernameTaken, EmailTaken
    │   ├── InsufficientQuantity, QuantityOverflow
    │   └── UserOwnsItems, LastAdmin
    ├── VersionMismatch     412: it has changed since you read it
    ├── InvalidRequest      422: `errors` says what is wrong, and where
    ├── PreconditionRequired 428: this server wants to know which version you saw
    ├── RateLimited         429
    └── Unavailable         503, 507: nothing was stored; try later

A code that has no class here is an error of its status, or else a plain `ProblemError`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2


class StewardError(Exception):
    """The root of the tree."""


class ConnectionFailed(StewardError):
    """No answer could be had, and nothing was changed: nothing was sent, or the call only reads."""


class OutcomeUnknown(StewardError):
    """The connection broke before the answer came, or during the server's COMMIT, or the server failed after it: it may
    or may not be stored.

    With an `idempotency_key` repeat the call with that key: it takes effect once. Without one, look first.
    """

    def __init__(self, message: str, idempotency_key: str | None = None) -> None:
        super().__init__(message, idempotency_key)
        self.idempotency_key = idempotency_key

    def __str__(self) -> str:
        return str(self.args[0])


class UnexpectedAnswer(StewardError):
    """A success that cannot be read: not Steward's, or of a version that this client does not know."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a request, and where: `pointer` (RFC 6901) into the body, or the name of a `parameter` or a
    `header`. In a batch the pointer begins with `/operations/N`; `line` is that of an imported file."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        line = None if self.line is None else f"line {self.line}"
        places = [place for place in (line, self.pointer or self.parameter or self.header) if place]
        return ": ".join([", ".join(places), self.detail] if places else [self.detail])


class ProblemError(StewardError):
    """What the server answered. `code` is stable and meant for programs, `detail` is a sentence meant for people.

    `retry_after` is in seconds. `request_id` finds the request in the server's log.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: tuple[Fault, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        # All of them positional, so that the error can be pickled.
        super().__init__(status, code, detail, errors, request_id, retry_after)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        faults = "".join(f"\n  {fault}" for fault in self.errors)
        return f"{self.detail} ({self.status} {self.code}, request {self.request_id}){faults}"


class InvalidCredentials(ProblemError):
    """Wrong name or password, or a user who is not active: the server does not say which."""


class NotAuthenticated(ProblemError):
    """Not signed in, or no longer: the session has expired, or was ended."""


class Forbidden(ProblemError):
    """Not for this user."""


class NotFound(ProblemError):
    """Not there, or not this user's to see."""


class Refused(ProblemError):
    """Not as things stand (409); `code` says why."""


class UsernameTaken(Refused):
    pass


class EmailTaken(Refused):
    pass


class InsufficientQuantity(Refused):
    pass


class QuantityOverflow(Refused):
    pass


class UserOwnsItems(Refused):
    """Say what becomes of them: `items="delete"`, or `items_to=` a user."""


class LastAdmin(Refused):
    pass


class VersionMismatch(ProblemError):
    """It has changed since it was read: read it again, then decide."""


class InvalidRequest(ProblemError):
    """`errors` names each fault and where it is."""


class PreconditionRequired(ProblemError):
    """This server changes nothing blindly: hand in the `Item` or `User` that was read instead of its id."""


class RateLimited(ProblemError):
    """Too many attempts; `retry_after` says how long to wait."""


class Unavailable(ProblemError):
    """Nothing was stored, and the server cannot do it now. The retries have been used up."""


_BY_CODE: dict[str, type[ProblemError]] = {
    "invalid_credentials": InvalidCredentials,
    "username_taken": UsernameTaken,
    "email_taken": EmailTaken,
    "insufficient_quantity": InsufficientQuantity,
    "quantity_overflow": QuantityOverflow,
    "user_owns_items": UserOwnsItems,
    "last_admin": LastAdmin,
}
_BY_STATUS: dict[int, type[ProblemError]] = {
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: Refused,
    412: VersionMismatch,
    422: InvalidRequest,
    428: PreconditionRequired,
    429: RateLimited,
    503: Unavailable,
    507: Unavailable,
}


def problem_of(response: httpx2.Response) -> ProblemError:
    """The error that an answer of 3xx, 4xx or 5xx is.

    What is not a problem document, from a proxy perhaps, gets the code `http_502` and the like.
    """
    problem = _document(response)
    status = response.status_code
    code = str(problem.get("code") or f"http_{status}")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, ProblemError)
    return kind(
        status,
        code,
        str(problem.get("detail") or response.reason_phrase or "No reason given"),
        tuple(_fault(each) for each in problem.get("errors") or () if isinstance(each, dict)),
        response.headers.get("X-Request-ID"),
        _seconds(response.headers.get("Retry-After")),
    )


def _document(response: httpx2.Response) -> dict[str, Any]:
    if response.headers.get("Content-Type", "").partition(";")[0].strip() != "application/problem+json":
        return {}
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fault(found: Mapping[str, Any]) -> Fault:
    return Fault(
        str(found.get("code", "")),
        str(found.get("detail", "")),
        found.get("pointer"),
        found.get("parameter"),
        found.get("header"),
        found.get("line"),
    )


def _seconds(retry_after: str | None) -> float | None:
    # The other form, a date, is not Steward's; a proxy's is not worth a clock that may be wrong.
    return float(retry_after) if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else None
