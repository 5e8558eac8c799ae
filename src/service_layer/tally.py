"""What happened on the way to an answer without being seen in it: for logs and metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """`retries` of transactions that had lost a race, and COMMITs of `unknown_outcomes`."""

    retries: int = 0
    unknown_outcomes: int = 0


_current: ContextVar[Tally | None] = ContextVar("steward_tally", default=None)


@contextmanager
def tallied() -> Iterator[Tally]:
    """Count what happens inside, tasks that are started there included."""
    tally = Tally()
    entered = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(entered)


def current_tally() -> Tally | None:
    """None where nobody counts."""
    return _current.get()
