"""What routes are given: plain functions that read the container of their application.

They are async, because FastAPI runs others in a thread.
"""

from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from ...bootstrap import Container
from ...service_layer.accounts import Accounts
from ...service_layer.limits import Limits
from ...service_layer.unit_of_work import UnitOfWork


def container_of(request: HTTPConnection) -> Container:
    # An attribute of the application: what stands in `app.state` is looked up by a function of Python's, every time.
    container: Container = request.scope["app"].container
    return container


async def get_container(request: Request) -> Container:
    return container_of(request)


async def get_unit_of_work(request: Request, container: Annotated[Container, Depends(get_container)]) -> UnitOfWork:
    """The one by which the caller was identified, if the route asks who that is: a GET joins it."""
    unit_of_work: UnitOfWork = getattr(request.state, "unit_of_work", None) or container.unit_of_work()
    return unit_of_work


async def get_accounts(container: Annotated[Container, Depends(get_container)]) -> Accounts:
    accounts: Accounts = container.accounts()
    return accounts


async def get_limits(container: Annotated[Container, Depends(get_container)]) -> Limits:
    limits: Limits = container.limits()
    return limits


CurrentUnitOfWork = Annotated[UnitOfWork, Depends(get_unit_of_work)]
CurrentAccounts = Annotated[Accounts, Depends(get_accounts)]
CurrentLimits = Annotated[Limits, Depends(get_limits)]
