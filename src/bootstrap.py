"""The composition root: what is made of what. Nothing else is decided here.

No wiring (`@inject`, `container.wire()`): it is global to the process, so two applications would both answer from the
container that was wired last, and it costs a third of a small request. The HTTP application keeps its container on
`app.state`; tests override providers on a container of their own.
"""

from dependency_injector import containers, providers

from .adapters.clock import system_clock
from .adapters.database.database import Database
from .adapters.database.engines import PoolSettings
from .adapters.password_hashing import Argon2Hasher
from .config import Settings, load_settings


class Container(containers.DeclarativeContainer):
    settings: providers.Provider[Settings] = providers.Singleton(load_settings)
    clock = providers.Object(system_clock)
    database = providers.Singleton(
        Database,
        settings.provided.database_url,
        pool=providers.Factory(
            PoolSettings,
            size=settings.provided.pool_size,
            wait=settings.provided.pool_timeout,
            connect=settings.provided.connect_timeout,
            statement=settings.provided.statement_timeout,
            busy=settings.provided.busy_timeout,
        ),
        echo=settings.provided.database_echo,
        clock=clock,
    )
    unit_of_work = providers.Factory(lambda database: database.unit_of_work(), database)
    hasher = providers.Singleton(
        Argon2Hasher,
        memory=settings.provided.hash_memory,
        iterations=settings.provided.hash_iterations,
        parallelism=settings.provided.hash_parallelism,
        threads=settings.provided.hash_threads,
    )


def container_for(settings: Settings) -> Container:
    return Container(settings=providers.Object(settings))
