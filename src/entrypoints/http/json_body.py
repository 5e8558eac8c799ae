"""Reading a JSON body: within its limit, of the right media type, and refusing what readers disagree on.

The framework would turn whatever goes wrong here into one vague 400, or take it in silence.
"""

import json
import math
from typing import Any

from starlette.requests import Request

from .problems import HttpProblem

JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"


def accepted_types(method: str) -> tuple[str, ...]:
    """A PATCH is a merge patch by whichever name; to other methods that name means nothing."""
    return (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)


class JsonRequest(Request):
    async def read(self, limit: int) -> None:
        """Read at most `limit` bytes and parse them, if there are any. Raises `HttpProblem`."""
        self._body = await self._read_within(limit)
        if self._body:
            self._check_media_type()
            self._json = parse(self._body)

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
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise HttpProblem(
                "unsupported_media_type",
                "The body has to come as it is, without a Content-Encoding",
                headers={"Accept-Encoding": "identity"},  # RFC 9110 section 15.5.16
            )
        allowed = accepted_types(self.method)
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() not in allowed:
            name = "Accept-Patch" if self.method == "PATCH" else "Accept"  # RFC 5789 section 2.2
            detail = f"The body has to be {' or '.join(allowed)}"
            raise HttpProblem("unsupported_media_type", detail, headers={name: ", ".join(allowed)})


def parse(body: bytes) -> Any:
    """One JSON document. Raises `HttpProblem`, which quotes nothing of the body: it may hold a password."""
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
