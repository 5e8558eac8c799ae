"""Reading the one form that there is, by the rules of RFC 6749 and its appendix B.

Not by python-multipart: a long list of advisories for what a function of the standard library does.
"""

import re
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from ..problems.problem_responses import HttpProblem
from .json_body import check_media_type, read_within

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 32
_NO_ENCODED_BYTE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


async def read_form(request: Request, limit: int, *, timeout: float) -> dict[str, str]:
    """The fields, each at most once (RFC 6749 section 3.2), those without a value left out. Raises `HttpProblem`, and
    `RequestValidationError` for a field that comes twice."""
    check_media_type(request, (FORM,))
    body = await read_within(request, limit, timeout=timeout)
    if _NO_ENCODED_BYTE.search(body):  # some readers keep it as it stands, others drop it
        raise HttpProblem("malformed_form", "A percent sign stands for itself only as %25")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:  # of UnicodeDecodeError too
        raise HttpProblem("malformed_form", f"The body has to be {FORM} in UTF-8, of a few fields") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise RequestValidationError([_fault(name, "repeated_parameter", "Give it once") for name in repeated])
    return {name: value for name, value in fields.items() if value}


def missing(*names: str) -> RequestValidationError:
    return RequestValidationError([_fault(name, "missing", "This is required") for name in names])


def _fault(name: str, code: str, detail: str) -> dict[str, object]:
    """As pydantic writes them, because the framework's are."""
    return {"type": code, "loc": ("body", name), "msg": detail}
