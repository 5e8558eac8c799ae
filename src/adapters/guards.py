"""The marks on the methods of repositories: through them the unit of work sees every statement."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


class Guard(Protocol):
    def statement(self, *, writes: bool, locks: bool = False) -> AbstractContextManager[None]: ...


class Guarded(Protocol):
    """A repository: `unit` is the unit of work that it belongs to."""

    @property
    def unit(self) -> Guard: ...


Repository = TypeVar("Repository", bound=Guarded)


def reads(
    method: Callable[Concatenate[Repository, P], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Repository, P], Coroutine[Any, Any, Result]]:
    """Marks a method of a repository that writes nothing. With `for_update` or `for_change` it locks what it reads."""

    @wraps(method)
    async def guarded(self: Repository, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        with self.unit.statement(writes=False, locks=bool(kwargs.get("for_update") or kwargs.get("for_change"))):
            return await method(self, *args, **kwargs)

    return guarded


def locks(
    method: Callable[Concatenate[Repository, P], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Repository, P], Coroutine[Any, Any, Result]]:
    """Marks a method of a repository that writes nothing, and always locks what it reads."""

    @wraps(method)
    async def guarded(self: Repository, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        with self.unit.statement(writes=False, locks=True):
            return await method(self, *args, **kwargs)

    return guarded


def writes(
    method: Callable[Concatenate[Repository, P], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Repository, P], Coroutine[Any, Any, Result]]:
    """Marks a method of a repository that writes."""

    @wraps(method)
    async def guarded(self: Repository, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        with self.unit.statement(writes=True):
            return await method(self, *args, **kwargs)

    return guarded
