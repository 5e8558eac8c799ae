"""Partial updates: an argument that was not given is not the same as None."""

from enum import Enum
from typing import Final


class Unset(Enum):
    """Its one member says that an argument was not given; None says that the field is to be cleared."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
