"""The composition root: what is made of what, and of which settings. Nothing else is decided here.

No wiring (`@inject`, `container.wire()`): it is global to the process, so two applications would both answer from the
container that was wired last, and it costs a third of a small request. The HTTP application keeps its container on
`app.state`; tests override providers on a container of their own.
"""

import hmac
import secrets
from datetime import timedelta
from pathlib import Path

from dependency_injector import containers, providers
from sqlalchemy import make_url

from .adapters.clock import system_clock
from .adapters.database.database import Database
from .adapters.database.drivers.sqlite import is_in_memory
from .adapters.database.engines import PoolSettings
from .adapters.password_hashing import Argon2Hasher
from .adapters.secret_key import UnusableSecret, secret_key_beside
from .config import ConfigurationError, Settings, load_settings
from .domain.attempts import Limit
from .domain.login_sessions import Lifetimes
from .service_layer.accounts import Accounts
from .service_layer.idempotency import Keys
from .service_layer.limits import Limits, Quotas


def secret_key(settings: Settings) -> bytes:
    """The server's secret: as configured, or one of the embedded default's own. Raises `ConfigurationError`."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(
            [
                "STEWARD_SECRET_KEY: has to be given with PostgreSQL, the same to all server processes: 32 random "
                "characters at least, such as `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'` prints"
            ]
        )
    if is_in_memory(url):
        return secrets.token_bytes(32)
    try:
        return secret_key_beside(Path(str(url.database)))
    except UnusableSecret as error:
        raise ConfigurationError([f"STEWARD_SECRET_KEY: {error}"]) from None


def _cursor_key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"steward cursors", "sha256")


def _quotas(settings: Settings) -> Quotas | None:
    if not settings.rate_limits:
        return None
    return Quotas(
        sign_in=Limit("sign-in", *settings.rate_limit_sign_in),
        sign_in_account=Limit("sign-in-account", *settings.rate_limit_sign_in_account),
        sign_in_address=Limit("sign-in-address", *settings.rate_limit_sign_in_address),
        sign_up=Limit("sign-up", *settings.rate_limit_sign_up),
        password=Limit("password", *settings.rate_limit_password),
        recipient=Limit("recipient", *settings.rate_limit_recipient),
    )


def _lifetimes(settings: Settings) -> Lifetimes:
    return Lifetimes(
        access=timedelta(seconds=settings.access_token_ttl),
        refresh=timedelta(seconds=settings.refresh_token_ttl),
        grace=timedelta(seconds=settings.refresh_token_grace),
    )


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
            queue=settings.provided.pool_queue,
            connect=settings.provided.connect_timeout,
            statement=settings.provided.statement_timeout,
            busy=settings.provided.busy_timeout,
            pooler=settings.provided.database_pooler,
            isolation=settings.provided.database_isolation,
        ),
        echo=settings.provided.database_echo,
        express=providers.Callable(lambda express: express != "off", settings.provided.express),
        clock=clock,
    )
    unit_of_work = providers.Factory(lambda database: database.unit_of_work(), database)
    hasher = providers.Singleton(
        Argon2Hasher,
        memory=settings.provided.hash_memory,
        iterations=settings.provided.hash_iterations,
        parallelism=settings.provided.hash_parallelism,
        threads=settings.provided.hash_threads,
        queue=settings.provided.hash_queue,
    )
    limits = providers.Singleton(
        Limits, providers.Callable(secret_key, settings), providers.Callable(_quotas, settings)
    )
    idempotency_keys = providers.Singleton(
        Keys,
        providers.Callable(secret_key, settings),
        providers.Callable(lambda settings: timedelta(seconds=settings.idempotency_key_ttl), settings),
    )
    cursor_key = providers.Singleton(_cursor_key, providers.Callable(secret_key, settings))
    accounts = providers.Singleton(
        Accounts,
        hasher=hasher,
        limits=limits,
        lifetimes=providers.Callable(_lifetimes, settings),
        open_to_all=providers.Callable(lambda settings: settings.registration == "open", settings),
    )


def container_for(settings: Settings) -> Container:
    return Container(settings=providers.Object(settings))
