"""Headers of a request, read where they stand: an object of the framework would be made for each request."""

from starlette.types import Scope


def header_lines(scope: Scope, name: bytes) -> list[str]:
    """What each header called `name`, in lower case, holds."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def only_header(scope: Scope, name: bytes) -> bytes | None:
    """`name` in lower case. None also for a header that comes twice: nobody could say which one is meant."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
