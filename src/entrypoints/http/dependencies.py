"""What routes are given: plain functions that read the container of their application.

They are async, because FastAPI runs others in a thread.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from ...bootstrap import Container
from ...service_layer.accounts import Accounts
from ...service_layer.limits import Limits
from ...service_layer.unit_of_work import UnitOfWork


def container_of(request: HTTPConnection) -> Container:
    container: Container = request.app.state.container
    return container


async def get_container(request: Request) -> Container:
    return container_of(request)


CurrentContainer = Annotated[Container, Depends(get_container)]


async def get_unit_of_work(request: Request) -> UnitOfWork:
    """Return the unit of work of this request: all that ask for it get the same one."""
    unit_of_work: UnitOfWork = container_of(request).unit_of_work()
    return unit_of_work


CurrentUnitOfWork = Annotated[UnitOfWork, Depends(get_unit_of_work)]


async def get_reading_unit_of_work(uow: CurrentUnitOfWork) -> AsyncIterator[UnitOfWork]:
    """Yield the unit of work of this request inside a reading block, which ends before the answer is sent."""
    async with uow.reading():
        yield uow


# For an endpoint that reads and takes an actor: named before `CurrentActor`, the lookup of the token joins its block,
# and the request costs one checkout of a connection. A use case that writes raises `ReadOnly` in it.
ReadingUnitOfWork = Annotated[UnitOfWork, Depends(get_reading_unit_of_work, scope="function")]


async def get_accounts(container: CurrentContainer) -> Accounts:
    accounts: Accounts = container.accounts()
    return accounts


async def get_limits(container: CurrentContainer) -> Limits:
    limits: Limits = container.limits()
    return limits


CurrentAccounts = Annotated[Accounts, Depends(get_accounts)]
CurrentLimits = Annotated[Limits, Depends(get_limits)]
