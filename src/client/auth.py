"""`/auth`: tokens and sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2

from .calls import Call, Operation, call, nothing
from .values import Session, session_of

_FORM = "application/x-www-form-urlencoded"
# Not repeated when its answer is lost: a session would be left over.
_SIGN_IN = Operation("issue_token", "POST", "/auth/token")
# The server takes an exchanged refresh token once more for a moment, and later than that nothing is lost any more.
# By default that moment is ten seconds, within which a refresh whose answer was lost has to be repeated.
LONGEST_REFRESH = 4.0  # seconds
_REFRESH = Operation("issue_token", "POST", "/auth/token", harmless=True)
# A second time says 401, which is as good.
_LOG_OUT = Operation("log_out", "POST", "/auth/logout", harmless=True)
_LIST = Operation("list_sessions", "GET", "/auth/sessions", harmless=True)
_END = Operation("end_session", "DELETE", "/auth/sessions/{session_id}")


@dataclass(frozen=True, slots=True)
class Tokens:
    """`expires` is a time of the client's clock, counted from when they were asked for; None if nobody knows."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires: float | None = None

    def have_expired(self, now: float) -> bool:
        return self.expires is not None and now >= self.expires


def sign_in(username: str, password: str, *, now: float) -> Call[Tokens]:
    """`username` may be the e-mail address. Raises `InvalidCredentials`, `RateLimited`."""
    return _issue(_SIGN_IN, {"grant_type": "password", "username": username, "password": password}, now)


def refresh(refresh_token: str, *, now: float, timeout: float) -> Call[Tokens]:
    """Raises `InvalidCredentials`."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return _issue(_REFRESH, form, now, timeout=min(timeout, LONGEST_REFRESH))


def _issue(operation: Operation, form: Mapping[str, str], now: float, *, timeout: float | None = None) -> Call[Tokens]:
    def read(response: httpx2.Response) -> Tokens:
        found: dict[str, Any] = response.json()
        return Tokens(found["access_token"], found["refresh_token"], now + found["expires_in"])

    return Call(
        operation,
        path=operation.path,
        read=read,
        headers={"Content-Type": _FORM},
        body=urlencode(form).encode(),
        signed=False,
        timeout=timeout,
    )


def log_out() -> Call[None]:
    return call(_LOG_OUT, nothing)


def list_sessions() -> Call[list[Session]]:
    """Your own that have not expired, the newest first."""
    return call(_LIST, lambda response: [session_of(each) for each in response.json()["data"]])


def end_session(session: Session | int) -> Call[None]:
    """Its tokens are worth nothing any more. Raises `NotFound`."""
    return call(_END, nothing, at=session if isinstance(session, int) else session.id)
