"""Settings: every knob, its default and its reason. Read by the composition root and the entry points alone."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ConfigurationError(Exception):
    """Every fault of the configuration, reported at once; the message holds no secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Settings(BaseSettings):
    """From environment variables `STEWARD_…`, then from `.env`. A secret may be given as a file: `…_FILE`.

    Times are in seconds.
    """

    model_config = SettingsConfigDict(
        env_prefix="STEWARD_", env_file=".env", extra="ignore", hide_input_in_errors=True, frozen=True
    )

    # A SQLite file in the working directory, so that the first run needs nothing. PostgreSQL in production.
    database_url: str = "sqlite+aiosqlite:///var/steward.db"
    # Loopback: until sign-in is there, whoever reaches the server may do all.
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    # Connections of each server process; times the processes, no more than PostgreSQL's max_connections.
    pool_size: int = Field(default=16, ge=1, le=500)
    # How long a request waits for a connection before it is refused with 503.
    pool_timeout: float = Field(default=2.0, gt=0)
    connect_timeout: float = Field(default=3.0, gt=0)
    statement_timeout: float = Field(default=5.0, gt=0)
    # How long SQLite waits for another process that is writing.
    busy_timeout: float = Field(default=2.0, ge=0)
    # Logs every statement with its parameters: personal data ends up in the log.
    database_echo: bool = False
    # The largest request body, in bytes.
    max_body_size: int = Field(default=1024 * 1024, ge=1024)
    # Who may sign up: anyone, or only whom an admin registers.
    registration: Literal["open", "closed"] = "open"
    # Argon2id (RFC 9106); the defaults are OWASP's minimum. Memory in KiB.
    hash_memory: int = Field(default=19 * 1024, ge=8)
    hash_iterations: int = Field(default=2, ge=1)
    hash_parallelism: int = Field(default=1, ge=1)
    # Hashing is a core's work for some 50 ms: more threads than cores gain nothing.
    hash_threads: int = Field(default=2, ge=1, le=64)
    # How long requests that have begun may take after SIGTERM.
    shutdown_timeout: int = Field(default=10, ge=0)
    # The first admin, made when the server starts on an empty database; without a password one is made and shown.
    admin_username: str = "admin"
    admin_email: str = "admin@example.org"
    admin_password: SecretStr | None = None
    admin_password_file: Path | None = None

    @field_validator("database_url")
    @classmethod
    def _known_driver(cls, url: str) -> str:
        if not url.startswith(("sqlite+aiosqlite:", "postgresql+asyncpg:")):
            raise ValueError("must begin with sqlite+aiosqlite: or postgresql+asyncpg:")
        return url

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.admin_password is not None and self.admin_password_file is not None:
            raise ValueError("give STEWARD_ADMIN_PASSWORD or STEWARD_ADMIN_PASSWORD_FILE, not both")
        if self.admin_password_file is not None and not self.admin_password_file.is_file():
            raise ValueError(f"STEWARD_ADMIN_PASSWORD_FILE: there is no file {self.admin_password_file}")
        return self

    def first_admin_password(self) -> str | None:
        if self.admin_password_file is not None:
            return self.admin_password_file.read_text(encoding="utf-8").rstrip("\r\n")
        return None if self.admin_password is None else self.admin_password.get_secret_value()


def load_settings(**given: object) -> Settings:
    """Raises `ConfigurationError`."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError([_sentence(fault) for fault in error.errors(include_input=False)]) from None


def _sentence(fault: object) -> str:
    assert isinstance(fault, dict)
    name = "_".join(str(part) for part in fault["loc"]).upper()
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"STEWARD_{name}: {message}" if name else message
