"""The request as a `StrictRoute` reads it: its body within limits, its JSON strictly, its query with care."""

from collections import Counter
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from .json_body import parse_json_body, read_within

_MOST_PARAMETERS = 100  # far more than any operation knows; to take thousands apart would keep the server busy

Errors = list[dict[str, Any]]  # as pydantic writes them


class StrictRequest(Request):
    def __init__(self, request: Request, limit: int, timeout: float) -> None:
        """The body has at most `limit` bytes, which come within `timeout` seconds."""
        super().__init__(request.scope, request.receive)
        self._limit, self._timeout = limit, timeout
        self._content: bytes | None = None
        self._parsed: list[Any] = []
        self._strict_query: StrictQuery | None = None

    @property
    def query_params(self) -> "StrictQuery":
        if self._strict_query is None:
            self._strict_query = StrictQuery(self.scope["query_string"])
        return self._strict_query

    async def body(self) -> bytes:
        """Raises `HttpProblem`."""
        if self._content is None:
            self._content = await read_within(self, self._limit, timeout=self._timeout)
        return self._content

    async def json(self) -> Any:
        """Return None for an empty body. Raises `HttpProblem`."""
        if not self._parsed:
            body = await self.body()
            self._parsed = [parse_json_body(self, body) if body else None]
        return self._parsed[0]


class StrictQuery(QueryParams):
    """Notes which parameters it was asked for: FastAPI asks for those that the route, its dependencies and what stands
    in for them declare. So all others are unknown. A list may be repeated."""

    def __init__(self, query: bytes) -> None:
        self._is_too_long = query.count(b"&") >= _MOST_PARAMETERS
        self._asked: set[str] = set()
        self._lists: set[str] = set()
        super().__init__(query if query and not self._is_too_long else [])

    def get(self, key: Any, default: Any = None) -> Any:
        self._asked.add(key)
        return super().get(key, default)

    def getlist(self, key: Any) -> list[str]:
        self._asked.add(key)
        self._lists.add(key)
        return super().getlist(key)

    def errors(self) -> Errors:
        """Return what is wrong with the names of parameters, once all known ones have been asked for."""
        if self._is_too_long:
            return [_error("", "too_many_parameters", f"At most {_MOST_PARAMETERS} parameters")]
        errors: Errors = []
        if not self:
            return errors
        for name, times in Counter(name for name, _ in self.multi_items()).items():
            if name not in self._asked:
                errors.append(_error(name, "unknown_parameter", "There is no such parameter"))
            elif times > 1 and name not in self._lists:
                errors.append(_error(name, "repeated_parameter", "Give it once"))
        return errors


def _error(name: str, code: str, detail: str) -> dict[str, Any]:
    return {"type": code, "loc": ("query", name), "msg": detail}
