"""Which version of a thing a change may be made from."""

from dataclasses import dataclass

from .errors import VersionMismatch, VersionRequired


@dataclass(frozen=True, slots=True)
class Condition:
    """`one_of` are the versions that are right, None for any; `none_of` those that are wrong, None for all.

    `is_missing`: one has to be named, and none was.
    """

    one_of: frozenset[int] | None = None
    none_of: frozenset[int] | None = frozenset()
    is_missing: bool = False

    def check(self, version: int) -> None:
        """Raises `VersionRequired`, else `VersionMismatch`."""
        if self.is_missing:
            raise VersionRequired
        if self.one_of is not None and version not in self.one_of:
            raise VersionMismatch
        if self.none_of is None or version in self.none_of:
            raise VersionMismatch


# What a caller says of the version: the one that was seen, a condition, or nothing.
Expected = int | Condition | None


def check_version(found: int, expected: Expected) -> None:
    """Raises `VersionMismatch` and `VersionRequired`."""
    if isinstance(expected, Condition):
        expected.check(found)
    elif expected is not None and found != expected:
        raise VersionMismatch


def exact_version(expected: Expected) -> int | None:
    """The one version that a change is made from or not at all.

    Of several, each is as good as the other: who loses a race reads again, and looks whether the next one is right.
    """
    return expected if isinstance(expected, int) else None
