"""Lists are read in pages."""

from .errors import InvalidValue


def check_limit(limit: int) -> int:
    """How many a page may hold: 1 or more. Raises `InvalidValue`."""
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise InvalidValue("limit", "int_type", "The limit is an integer")
    if limit < 1:
        raise InvalidValue("limit", "greater_than_equal", "The limit is at least 1")
    return limit
