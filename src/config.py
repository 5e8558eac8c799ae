"""Settings: every knob, its default and its reason. Read by the composition root and the entry points alone."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from .config_deadlines import Deadlines
from .config_values import Hosts, Networks, Origins, Quota
from .domain.errors import InvalidValue
from .domain.users import check_email, check_username
from .service_layer.hashing import check_password

_LONGEST_TTL = 10 * 365 * 24 * 3600  # ten years, in seconds: far beyond, a time would fall out of the calendar


class ConfigurationError(Exception):
    """Every fault of the configuration, reported at once; the message holds no secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Settings(Deadlines):
    """From environment variables `STEWARD_…`, then from `.env`. A secret may be given as a file: `…_FILE`.

    Times are in seconds; those that bound something stand in `Deadlines`.
    """

    model_config = SettingsConfigDict(
        env_prefix="STEWARD_",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        hide_input_in_errors=True,
        validate_default=True,
        frozen=True,
    )

    # A secret stands right after the setting that names its file: its validator looks at that one.
    database_password_file: Path | None = None
    # Put into the URL, so that it need not be percent-encoded by hand, and can come from a file.
    database_password: SecretStr | None = None
    # A SQLite file in the working directory, so that the first run needs nothing. PostgreSQL in production. Not in
    # the representation, because it may hold a password: `shown_database_url` is for people.
    database_url: str = Field(default="sqlite+aiosqlite:///var/steward.db", repr=False)
    # Loopback: passwords and tokens must not cross a network without TLS, which a proxy in front has to bring.
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    # Server processes. Each has a pool of its own.
    workers: int = Field(default=1, ge=1, le=128)
    # Connections of each server process. It has one more on PostgreSQL, for readiness: so many and one, times the
    # processes, are no more than its max_connections.
    pool_size: int = Field(default=16, ge=1, le=500)
    # What stands between here and PostgreSQL: PgBouncer in transaction mode forwards neither prepared statements nor
    # most settings of a session.
    database_pooler: Literal["none", "pgbouncer"] = "none"
    # Of transactions that write, on PostgreSQL. Serializable costs retries; SQLite always is.
    database_isolation: Literal["read_committed", "serializable"] = "read_committed"
    # Lets the server start on a PostgreSQL that may lose or destroy what it has acknowledged, because fsync,
    # full_page_writes or synchronous_commit is off: for tests.
    allow_unsafe_durability: bool = False
    # Logs every statement with its parameters: personal data ends up in the log.
    database_echo: bool = False
    # `off` sends every statement through SQLAlchemy. `auto` sends the hot ones to the driver, which is faster, unless
    # an installed library is not as that needs it.
    express: Literal["auto", "off"] = "auto"
    # The largest request body, in bytes.
    max_body_size: int = Field(default=1024 * 1024, ge=1024)
    # That of /items/batch: a thousand operations need more than one.
    max_batch_body_size: int = Field(default=4 * 1024 * 1024, ge=1024)
    # An import is spooled to a file of at most so many bytes.
    max_import_size: int = Field(default=64 * 1024 * 1024, ge=1024)
    # Refuses, with 428, changes that do not say by If-Match which version was seen (RFC 6585 section 3).
    require_if_match: bool = False
    # How long the answer to a request with an Idempotency-Key is kept for its repetitions: counted from when its
    # transaction began, so longer than any of them takes, or two requests with one key would both have their effect.
    idempotency_key_ttl: int = Field(default=24 * 3600, ge=3600, le=_LONGEST_TTL)
    # Argon2id (RFC 9106); the defaults are OWASP's minimum. Memory in KiB.
    hash_memory: int = Field(default=19 * 1024, ge=8, le=4 * 1024 * 1024)
    hash_iterations: int = Field(default=2, ge=1)
    hash_parallelism: int = Field(default=1, ge=1)
    # Hashing is a core's work for some 50 ms: more threads than cores gain nothing.
    hash_threads: int = Field(default=2, ge=1, le=64)
    # How many passwords may wait for a thread before the next one is refused with 503.
    hash_queue: int = Field(default=64, ge=0)
    # What keys are made with (HMAC): of counters, of idempotency keys, of cursors. The same in all processes on one
    # database: 32 characters at least.
    # Without one a SQLite database gets a file beside it; PostgreSQL deployments have to give one.
    secret_key_file: Path | None = None
    secret_key: SecretStr | None = None
    # Closed, only admins add users.
    registration: Literal["open", "closed"] = "open"
    # Every request asks the database, so this is not for revocation but for a token that has leaked in silence.
    access_token_ttl: int = Field(default=15 * 60, ge=1, le=_LONGEST_TTL)
    # A session that is not refreshed for so long has ended. No shorter than access tokens live.
    refresh_token_ttl: int = Field(default=30 * 24 * 3600, ge=1, le=_LONGEST_TTL)
    # How long an exchanged refresh token still works while its successor is unused, so that a lost answer signs nobody
    # out. 0 is strict.
    refresh_token_grace: float = Field(default=10.0, ge=0, le=3600)
    # Off only where something in front limits.
    rate_limits: bool = True
    # Sign-in: of one account from one address, of one account from everywhere, and from one address.
    rate_limit_sign_in: Quota = (10, timedelta(minutes=5))
    rate_limit_sign_in_account: Quota = (100, timedelta(hours=1))
    rate_limit_sign_in_address: Quota = (100, timedelta(minutes=5))
    # From one address: sign-up tells whether a name is taken.
    rate_limit_sign_up: Quota = (100, timedelta(hours=1))
    # Of one user.
    rate_limit_password: Quota = (10, timedelta(hours=1))
    # Of one user, transfers to a recipient who is not there: they too tell whether a name exists.
    rate_limit_recipient: Quota = (30, timedelta(hours=1))
    # The names that the server answers to (`Host`), `*.example.org` for all below one; empty for any.
    allowed_hosts: Hosts = ()
    # The web origins whose scripts may read answers (CORS), such as `https://app.example.org`.
    cors_origins: Origins = ()
    # The addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    trusted_proxies: Networks = ()
    # Of the server's logs, on standard error: `auto` is console on a terminal and JSON elsewhere.
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # A line for each request.
    access_log: bool = True
    # GET /metrics, for everybody who reaches the server: off where that is not only who runs it.
    metrics: bool = True
    # The first admin, made when the server starts on an empty database; without a password one is made and shown.
    admin_username: str = "admin"
    admin_email: str = "admin@example.org"
    admin_password_file: Path | None = None
    admin_password: SecretStr | None = None

    @field_validator("admin_password_file", "database_password_file", "secret_key_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("admin_password", "database_password", "secret_key", mode="before")
    @classmethod
    def _from_one_source(cls, given: object, info: ValidationInfo) -> object:
        assert info.field_name is not None
        path: Path | None = info.data.get(f"{info.field_name}_file")
        if path is None:
            return given
        if given is not None:
            raise ValueError(f"give it, or STEWARD_{info.field_name.upper()}_FILE, not both")
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"the file {path} cannot be read as UTF-8 text") from None

    @field_validator("hash_parallelism")
    @classmethod
    def _enough_memory(cls, given: int, info: ValidationInfo) -> int:
        if given * 8 > info.data.get("hash_memory", given * 8):  # RFC 9106 section 3.1
            raise ValueError("needs 8 KiB of STEWARD_HASH_MEMORY for each lane")
        return given

    @field_validator("refresh_token_ttl")
    @classmethod
    def _outlives_access_tokens(cls, given: int, info: ValidationInfo) -> int:
        if given < info.data.get("access_token_ttl", given):  # a session that has expired is neither listed nor kept
            raise ValueError("must be no less than STEWARD_ACCESS_TOKEN_TTL")
        return given

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None and len(given.get_secret_value()) < 32:
            raise ValueError("must have 32 characters at least")
        return given

    @field_validator("admin_username", "admin_email", "admin_password")
    @classmethod
    def _by_the_rules_of_the_domain(cls, given: Any, info: ValidationInfo) -> Any:
        # Now, and not when the server makes the first admin: it may have migrated the database by then.
        try:
            if isinstance(given, SecretStr):
                check_password(given.get_secret_value())
            elif given is not None:
                return check_username(given) if info.field_name == "admin_username" else check_email(given)
        except InvalidValue as error:
            raise ValueError(str(error)) from None
        return given

    @field_validator("database_url")
    @classmethod
    def _complete_url(cls, given: str, info: ValidationInfo) -> str:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        from .adapters.database.drivers.sqlite import refuse_options

        try:
            url = make_url(given)
        except (ArgumentError, ValueError):
            raise ValueError("is not a database URL") from None
        if url.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            raise ValueError("must begin with sqlite+aiosqlite: or postgresql+asyncpg:")
        if url.get_backend_name() == "sqlite":
            refuse_options(url)
        else:
            from .adapters.database.drivers.postgres import check_url

            check_url(url)
        if "sslmode" in url.query:
            raise ValueError("asyncpg calls it ssl=, not sslmode=")
        password: SecretStr | None = info.data.get("database_password")
        if password is None:
            return given
        if url.password is not None:
            raise ValueError("holds a password already: give it there, or as STEWARD_DATABASE_PASSWORD, not both")
        if url.get_backend_name() == "sqlite":
            raise ValueError("a SQLite file has no password, but STEWARD_DATABASE_PASSWORD is given")
        return url.set(password=password.get_secret_value()).render_as_string(hide_password=False)

    @property
    def shown_database_url(self) -> str:
        """Without its password."""
        from sqlalchemy import make_url

        shown, mark, options = make_url(self.database_url).render_as_string(hide_password=True).partition("?")
        return shown + mark + options.replace("%3A", ":")  # of several hosts, each with its port

    def first_admin_password(self) -> str | None:
        return None if self.admin_password is None else self.admin_password.get_secret_value()


def load_settings(**given: object) -> Settings:
    """What is `given` comes before the environment. Raises `ConfigurationError`."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError([_sentence(fault) for fault in error.errors(include_input=False)]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([".env is not UTF-8 text"]) from None


def _sentence(fault: object) -> str:
    assert isinstance(fault, dict)
    name = "_".join(str(part) for part in fault["loc"]).upper()
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"STEWARD_{name}: {message}" if name else message
