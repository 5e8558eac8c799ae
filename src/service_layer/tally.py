"""What happened on the way to an answer without being seen in it: for logs, metrics, and what an error may say."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """`retries` of transactions that had lost a race, COMMITs of `unknown_outcomes`, and `commits`: all COMMITs that
    succeeded, or may have."""

    retries: int = 0
    unknown_outcomes: int = 0
    commits: int = 0


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


def count_commit() -> None:
    """Count a COMMIT that succeeded, or may have."""
    tally = _current.get()
    if tally is not None:
        tally.commits += 1


def may_have_committed() -> bool:
    """Return True if anything that is counted now has been committed, or may have been."""
    tally = _current.get()
    return tally is not None and tally.commits > 0
