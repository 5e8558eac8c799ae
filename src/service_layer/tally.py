"""What happened on the way to an answer without being seen in it: for logs and metrics."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """`retries` of transactions that had lost a race, and COMMITs of `unknown_outcomes`."""

    retries: int = 0
    unknown_outcomes: int = 0


_current: ContextVar[Tally | None] = ContextVar("steward_tally", default=None)


# A class, which is quicker than a generator: every request has one.
class tallied:  # noqa: N801
    """Count what happens inside, tasks that are started there included."""

    __slots__ = ("_entered",)

    def __enter__(self) -> Tally:
        tally = Tally()
        self._entered = _current.set(tally)
        return tally

    def __exit__(self, *_: object) -> None:
        _current.reset(self._entered)


def current_tally() -> Tally | None:
    """None where nobody counts."""
    return _current.get()
