"""What all errors have in common."""

from typing import Any, ClassVar


class StewardError(Exception):
    code: ClassVar[str] = "internal_error"

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled, and copied, by calling its class with `args`: here these are the message alone,
        # while most constructors take what the message is made of.
        return _remade, (type(self), self.args), self.__dict__


def _remade(kind: type[StewardError], args: tuple[Any, ...]) -> StewardError:
    return kind.__new__(kind, *args)
