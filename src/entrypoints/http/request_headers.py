"""Headers of a request that are not a matter of taste: those that may come once."""

from starlette.types import Scope


def only_header(scope: Scope, name: bytes) -> bytes | None:
    """`name` in lower case. None also for a header that comes twice: nobody could say which one is meant."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
