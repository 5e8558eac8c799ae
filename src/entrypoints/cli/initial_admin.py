"""What has to be done before the first request: durability, the schema, and on an empty database the first admin."""

import logging
import secrets
from dataclasses import dataclass

from ...adapters.database.operations import durability, schema
from ...bootstrap import Container
from ...config import ConfigurationError, Settings
from ...domain.actors import Actor
from ...domain.errors import SchemaOutOfDate
from ...service_layer import retry
from ...service_layer.initial_admin import create_initial_admin, has_users

log = logging.getLogger("steward.server")


@dataclass(frozen=True, slots=True)
class InitialAdmin:
    """`made_password` is the password if it was made here: it is to be shown, once."""

    username: str
    made_password: str | None


async def prepare(container: Container, *, migrate: bool) -> InitialAdmin | None:
    """Bring the schema up to date, on SQLite or where `migrate` says so, and make the first admin.

    Raises `SchemaOutOfDate` where that is not allowed, `ConfigurationError` on a PostgreSQL that may lose what it has
    acknowledged, unless the settings allow it, and `DatabaseUnavailable`.
    """
    database = container.database()
    if database.dialect == "postgresql":  # before a migration: what it stores could be lost too
        await _require_durability(container)
    try:
        await schema.require_newest(database)
    except SchemaOutOfDate:
        # The embedded database is ours alone; with any other, whoever runs it says when.
        if not (migrate or database.dialect == "sqlite"):
            raise
        await schema.upgrade(database)
    if database.dialect == "sqlite":
        await schema.require_writable(database)  # otherwise nobody could sign in
    return await _initial_admin(container)


async def _require_durability(container: Container) -> None:
    settings: Settings = container.settings()
    unsafe = [setting for setting in await durability.durability_settings(container.database()) if not setting.safe]
    if not unsafe:
        return
    if not settings.allow_unsafe_durability:
        raise ConfigurationError(
            [f"PostgreSQL's {setting.name} is {setting.value}: {setting.remedy}" for setting in unsafe]
            + ["STEWARD_ALLOW_UNSAFE_DURABILITY=true starts the server all the same, where nothing stored matters"]
        )
    log.warning(
        "What is acknowledged may be lost: PostgreSQL runs with %s (STEWARD_ALLOW_UNSAFE_DURABILITY)",
        ", ".join(f"{setting.name}={setting.value}" for setting in unsafe),
    )


async def _initial_admin(container: Container) -> InitialAdmin | None:
    settings: Settings = container.settings()
    actor, uow = Actor.system(), container.unit_of_work()
    if await has_users(uow, actor):
        return None
    given = settings.first_admin_password()
    password = given or secrets.token_urlsafe(16)
    admin = await retry.run(
        uow,
        create_initial_admin,
        actor,
        username=settings.admin_username,
        email=settings.admin_email,
        password_hash=await container.hasher().hash(password),
    )
    return None if admin is None else InitialAdmin(admin.username, None if given else password)
