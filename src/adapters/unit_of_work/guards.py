"""The marks on the methods of repositories: through them the unit of work sees every statement."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
# Not a coroutine of any result: pyright infers a `CoroutineType` for `async def`, and that is what the ports have.
Running = TypeVar("Running", bound=Coroutine[Any, Any, Any])


class Guard(Protocol):
    """Two calls instead of a context manager: around every statement of every request that is a third cheaper."""

    def begin_statement(self, *, writes: bool, locks: bool) -> None: ...

    def end_statement(self, error: BaseException | None) -> None: ...


class Guarded(Protocol):
    """A repository: `unit` is the unit of work that it belongs to."""

    @property
    def unit(self) -> Guard: ...


Repository = TypeVar("Repository", bound=Guarded)
Method = Callable[Concatenate[Repository, P], Running]


def reads(method: Method[Repository, P, Running]) -> Method[Repository, P, Running]:
    """Marks a method of a repository that writes nothing. With `for_update` or `for_change` it locks what it reads."""
    return _guarded(method)


def locks(method: Method[Repository, P, Running]) -> Method[Repository, P, Running]:
    """Marks a method of a repository that writes nothing, and always locks what it reads."""
    return _guarded(method, locks=True)


def writes(method: Method[Repository, P, Running]) -> Method[Repository, P, Running]:
    """Marks a method of a repository that writes."""
    return _guarded(method, writes=True)


def _guarded(
    method: Method[Repository, P, Running], *, writes: bool = False, locks: bool = False
) -> Method[Repository, P, Running]:
    @wraps(method)
    async def guarded(self: Repository, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        unit = self.unit
        locking = locks or bool(kwargs and (kwargs.get("for_update") or kwargs.get("for_change")))
        unit.begin_statement(writes=writes, locks=locking)
        try:
            result = await method(self, *args, **kwargs)
        except BaseException as error:
            unit.end_statement(error)
            raise
        unit.end_statement(None)
        return result

    guarded.__dict__.update(writes=writes, locks=locks)  # for those who ask how a method is marked
    return cast("Method[Repository, P, Running]", guarded)
