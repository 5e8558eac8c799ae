"""What an attempt that failed says: whether anything may have been stored, and whether it is worth another."""

from dataclasses import dataclass
from typing import Any

import httpx2

from .calls import Call
from .errors import ConnectionFailed, ProblemError, StewardError

# Raised before the first byte of the request is sent.
_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
_HOPELESS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
# The server says that nothing was stored, and that it may go better next time.
_PASSING = {
    *("overloaded", "database_unavailable", "deadline_exceeded", "schema_out_of_date", "shutting_down"),
    *("conflict", "idempotency_key_in_use", "rate_limited"),
}
# Nothing was stored, and the next time it is the same.
_FINAL = {"storage_full", "internal_error"}
# Found out before the server looks the Idempotency-Key up: of an earlier attempt with it they say nothing.
_BEFORE_THE_KEY = {401, 403, 408, 429}
_DESPITE_THE_KEY = {"conflict", "idempotency_key_in_use"}


@dataclass(frozen=True, slots=True)
class Failure:
    """`lost`: the request may have taken effect all the same. `passing`: another attempt may succeed. `final`: so would
    one that had been made before have told, if it had taken effect."""

    error: StewardError
    lost: bool
    passing: bool
    final: bool = False
    retry_after: float | None = None
    is_expired_token: bool = False

    def may_be_repeated(self, call: Call[Any]) -> bool:
        return self.passing and (call.operation.may_be_repeated or not self.lost)

    def is_unknown_for(self, call: Call[Any], *, lost: bool) -> bool:
        """Whether the call may have taken effect; `lost` says whether an earlier attempt may."""
        return not call.operation.harmless and (self.lost or (lost and not self.final))


def failure_of_connection(error: httpx2.RequestError, call: Call[Any]) -> Failure:
    message = f"{call.operation.id}: {error or type(error).__name__}"
    failed = ConnectionFailed(message)
    failed.__cause__ = error
    return Failure(failed, lost=not isinstance(error, _NOT_SENT), passing=not isinstance(error, _HOPELESS))


def failure_of_problem(error: ProblemError) -> Failure:
    status, code = error.status, error.code
    stored_nothing = status < 500 or code in _PASSING or code in _FINAL
    return Failure(
        error,
        lost=not stored_nothing,
        # A 502, 503 or 504 without a code of ours comes from something in between.
        passing=code in (*_PASSING, "failed_after_commit") or (status in (502, 503, 504) and code not in _FINAL),
        final=status < 500 and status not in _BEFORE_THE_KEY and code not in _DESPITE_THE_KEY,
        retry_after=error.retry_after,
        is_expired_token=code == "token_expired",
    )
