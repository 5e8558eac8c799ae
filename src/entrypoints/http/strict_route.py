"""A route that takes nothing it does not know: neither in the query, nor in the way JSON is written."""

import json
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from .problems import Fault, HttpProblem

JSON_TYPES = ("application/json", "application/merge-patch+json")


class StrictRoute(APIRoute):
    """Refuses query parameters that are unknown or repeated (422), bodies that do not say they are JSON (415), and
    JSON that readers disagree on (400)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        takes_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request, known)
            if takes_body:
                # Read here, because the framework turns whatever goes wrong while it reads into one vague 400.
                request = StrictJsonRequest(request.scope, request.receive)
                await request.read()
            return await handle(request)

        return handle_strictly


class StrictJsonRequest(Request):
    async def read(self) -> None:
        """Read and parse the body, if there is one. Raises `HttpProblem`."""
        self._body = await self._read_within(self.app.state.container.settings().max_body_size)
        if self._body:
            self._check_media_type()
            self._json = _parse(self._body)

    async def _read_within(self, limit: int) -> bytes:
        too_large = HttpProblem("body_too_large", f"A body has at most {limit} bytes")
        announced = self.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            raise too_large
        chunks, size = [], 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > limit:
                raise too_large
            chunks.append(chunk)
        return b"".join(chunks)

    def _check_media_type(self) -> None:
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        allowed = JSON_TYPES if self.method == "PATCH" else JSON_TYPES[:1]
        if media_type not in allowed:
            headers = {"Accept-Patch": ", ".join(JSON_TYPES)} if self.method == "PATCH" else {}  # RFC 5789 section 2.2
            raise HttpProblem("unsupported_media_type", f"The body has to be {' or '.join(allowed)}", headers=headers)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise HttpProblem("malformed_json", "The body is not UTF-8") from None
    except RecursionError:
        raise HttpProblem("malformed_json", "The JSON is nested too deep") from None
    except json.JSONDecodeError as error:
        raise HttpProblem("malformed_json", f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # an integer of thousands of digits
        raise HttpProblem("malformed_json", "A number has too many digits") from None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 8259 section 4: what receivers make of repeated names is unpredictable. To keep one is to lose the other.
    whole = dict(members)
    if len(whole) != len(members):
        raise HttpProblem("malformed_json", "An object names a member twice")
    return whole


def _refuse_constant(name: str) -> float:
    raise HttpProblem("malformed_json", f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise HttpProblem("malformed_json", "A number is too large")
    return number


def _query_names(dependant: Dependant) -> list[str]:
    names = [field.alias for field in dependant.query_params]
    for dependency in dependant.dependencies:
        names += _query_names(dependency)
    return names


def _check_query(request: Request, known: frozenset[str]) -> None:
    given = Counter(name for name, _ in request.query_params.multi_items())
    faults = [
        Fault("parameter", name, "unknown_parameter", "There is no such parameter") for name in given.keys() - known
    ]
    faults += [
        Fault("parameter", name, "repeated_parameter", "Give it once")
        for name, times in given.items()
        if times > 1 and name in known
    ]
    if faults:
        faults.sort(key=lambda fault: fault.name)
        raise HttpProblem("invalid_request", "The query has parameters that cannot be honoured", faults=faults)
