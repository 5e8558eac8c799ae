"""What routes are given: plain functions that read the container of their application.

They are async, because FastAPI runs others in a thread.
"""

from typing import Annotated

from fastapi import Depends, Request

from ...bootstrap import Container
from ...domain.actors import Actor
from ...service_layer.hashing import Hasher
from ...service_layer.unit_of_work import UnitOfWork


async def get_container(request: Request) -> Container:
    container: Container = request.app.state.container
    return container


async def get_unit_of_work(container: Annotated[Container, Depends(get_container)]) -> UnitOfWork:
    unit_of_work: UnitOfWork = container.unit_of_work()
    return unit_of_work


async def get_hasher(container: Annotated[Container, Depends(get_container)]) -> Hasher:
    hasher: Hasher = container.hasher()
    return hasher


async def get_actor() -> Actor:
    """Whoever reaches the server may do all, which is why it binds to loopback alone until there is sign-in."""
    return Actor.system()


CurrentUnitOfWork = Annotated[UnitOfWork, Depends(get_unit_of_work)]
CurrentHasher = Annotated[Hasher, Depends(get_hasher)]
CurrentActor = Annotated[Actor, Depends(get_actor)]
