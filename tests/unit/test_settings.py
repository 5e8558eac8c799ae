"""Settings: where they come from, and what is said of their faults."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url
from steward.config import ConfigurationError, Settings, load_settings

PASSWORD = "correct horse battery"
ON_A_SERVER = "postgresql+asyncpg://steward@db/steward"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("STEWARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # no `.env`


def _faults(**given: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**given)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def test_the_defaults_need_nothing_and_reach_nobody() -> None:
    settings = load_settings()
    assert settings.database_url == "sqlite+aiosqlite:///var/steward.db"
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.cors_origins, settings.allowed_hosts, settings.trusted_proxies) == ((), (), ())
    assert (settings.registration, settings.rate_limits) == ("open", True)
    assert settings.first_admin_password() is None


def test_a_request_that_waits_connects_and_runs_a_statement_is_still_in_time() -> None:
    settings = load_settings()
    steps = settings.pool_timeout, settings.connect_timeout, settings.statement_timeout
    assert (steps, settings.request_timeout) == ((2, 3, 5), 10)
    assert settings.busy_timeout < settings.statement_timeout
    assert settings.readiness_timeout < settings.request_timeout


def test_they_come_from_the_environment_then_from_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STEWARD_PORT=1\nSTEWARD_POOL_SIZE=2\nSTEWARD_WORKERS=3\nOTHER=x\n")
    monkeypatch.setenv("STEWARD_POOL_SIZE", "20")
    monkeypatch.setenv("STEWARD_WORKERS", "30")
    settings = load_settings(workers=40)
    assert (settings.port, settings.pool_size, settings.workers) == (1, 20, 40)


def test_every_fault_is_reported_at_once_by_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEWARD_PORT", "many")
    monkeypatch.setenv("STEWARD_POOL_SIZE", "0")
    monkeypatch.setenv("STEWARD_DATABASE_URL", "mysql://db/steward")
    monkeypatch.setenv("STEWARD_ADMIN_USERNAME", "a b")
    monkeypatch.setenv("STEWARD_ADMIN_EMAIL", "nowhere")
    monkeypatch.setenv("STEWARD_ADMIN_PASSWORD", "short")
    monkeypatch.setenv("STEWARD_DATABASE_PASSWORD_FILE", "/no/such/file")
    assert {fault.partition(":")[0] for fault in _faults()} == {
        "STEWARD_PORT",
        "STEWARD_POOL_SIZE",
        "STEWARD_DATABASE_URL",
        "STEWARD_ADMIN_USERNAME",
        "STEWARD_ADMIN_EMAIL",
        "STEWARD_ADMIN_PASSWORD",
        "STEWARD_DATABASE_PASSWORD_FILE",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"admin_password": "s3cr3t"},
        {"admin_password": "s3cr3t\0with a control"},
        {"database_url": "mysql://steward:s3cr3t@db/steward"},
        {"database_url": "postgresql+asyncpg://steward:s3cr3t@db:port/steward"},
        {"database_url": "s3cr3t"},
        {"database_url": "postgresql+asyncpg://steward:s3cr3t@db/steward", "database_password": "s3cr3t"},
        {"database_url": "sqlite+aiosqlite:///x.db", "database_password": "s3cr3t"},
        {"port": "s3cr3t"},
    ],
)
def test_no_error_holds_a_secret(given: dict[str, object]) -> None:
    assert "s3cr3t" not in "\n".join(_faults(**given))


def test_no_representation_holds_a_secret() -> None:
    url = "postgresql+asyncpg://steward:s3cr3t@db/steward"
    settings = load_settings(database_url=url, admin_password=f"{PASSWORD} s3cr3t")
    in_two_parts = load_settings(database_url=ON_A_SERVER, database_password="s3cr3t")
    for told in (repr(settings), str(settings), settings.shown_database_url, repr(in_two_parts), str(in_two_parts)):
        assert "s3cr3t" not in told
    assert settings.shown_database_url == "postgresql+asyncpg://steward:***@db/steward"


def test_a_secret_can_come_from_a_file_whose_last_line_break_does_not_count(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD} é \n", encoding="utf-8")
    settings = load_settings(admin_password_file=secret, database_password_file=secret, database_url=ON_A_SERVER)
    assert settings.first_admin_password() == f"{PASSWORD} é "
    assert make_url(settings.database_url).password == f"{PASSWORD} é "


def test_a_database_password_need_not_be_encoded() -> None:
    settings = load_settings(database_url=ON_A_SERVER, database_password="p@ss/w:rd %2F+?#")
    assert make_url(settings.database_url).password == "p@ss/w:rd %2F+?#"
    assert make_url(settings.database_url).host == "db"


@pytest.mark.parametrize("name", ["admin_password", "database_password"])
def test_a_secret_has_one_source(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    assert _faults(**{name: PASSWORD, f"{name}_file": secret, "database_url": ON_A_SERVER}) == [
        f"STEWARD_{name.upper()}: give it, or STEWARD_{name.upper()}_FILE, not both"
    ]


def test_a_secret_file_has_to_be_text(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff\xfe\x00")
    [fault] = _faults(admin_password_file=secret)
    assert fault == f"STEWARD_ADMIN_PASSWORD: the file {secret} cannot be read as UTF-8 text"
    assert "there is no file" in _faults(admin_password_file=tmp_path)[0]


@pytest.mark.parametrize("password", ["", "       ", "1234567", "x" * 129])
def test_the_password_of_the_first_admin_follows_the_rules_from_the_start(password: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(password)
    [by_value], [by_file] = _faults(admin_password=password), _faults(admin_password_file=secret)
    assert by_value.startswith("STEWARD_ADMIN_PASSWORD: ")
    assert by_value == by_file


def test_the_driver_is_asked_for_ssl_by_its_own_name() -> None:
    assert "ssl=" in _faults(database_url=f"{ON_A_SERVER}?sslmode=require")[0]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:///x.db?timeout=30",
        "sqlite+aiosqlite:///:memory:?cache=shared",
        "sqlite+aiosqlite:///file:x.db",
    ],
)
def test_options_of_sqlite_are_refused_and_not_dropped(url: str) -> None:
    [fault] = _faults(database_url=url)
    assert fault.startswith("STEWARD_DATABASE_URL: A SQLite URL is sqlite+aiosqlite:///<path>, ")


def test_a_setting_that_nothing_reads_is_not_there() -> None:
    src = Path(__file__).parents[2] / "src"
    texts = [path.read_text(encoding="utf-8") for path in src.rglob("*.py")]
    for name in Settings.model_fields:
        if not name.endswith("_file"):
            assert any(re.search(rf"\.{name}\b|\"{name}\"", text) for text in texts), name


def test_a_dotenv_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"STEWARD_HOST=\xff\n")
    assert _faults() == [".env is not UTF-8 text"]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_each_setting_can_be_made_directly() -> None:
    assert Settings(port=1).port == 1


def test_values_come_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEWARD_ALLOWED_HOSTS", "steward.example.org, *.example.net ,")
    assert load_settings().allowed_hosts == ("steward.example.org", "*.example.net")


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("10/5m", (10, timedelta(minutes=5))),
        ("1/h", (1, timedelta(hours=1))),
        (" 7/30s ", (7, timedelta(seconds=30))),
        ("100/2d", (100, timedelta(days=2))),
    ],
)
def test_a_limit_is_a_number_in_a_time(
    monkeypatch: pytest.MonkeyPatch, given: str, understood: tuple[int, timedelta]
) -> None:
    monkeypatch.setenv("STEWARD_RATE_LIMIT_SIGN_IN", given)
    assert load_settings().rate_limit_sign_in == understood


@pytest.mark.parametrize("given", ["", "10", "10/5", "0/5m", "-1/m", "ten/m", "10/0m", "10/5w", "1e3/m", "10/99999h"])
def test_any_other_limit_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("STEWARD_RATE_LIMIT_SIGN_IN", given)
    with pytest.raises(ConfigurationError, match="STEWARD_RATE_LIMIT_SIGN_IN: must be a number in a time"):
        load_settings()


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(secret_key="too short")
    assert refused.value.faults == ["STEWARD_SECRET_KEY: must have 32 characters at least"]


def test_no_secret_is_in_the_representation() -> None:
    secret = "s3cr3t" * 6
    settings = load_settings(
        secret_key=secret, admin_password=secret, database_url=f"postgresql+asyncpg://a:{secret}@b/c"
    )
    assert secret not in repr(settings)
    assert secret not in str(settings)


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        ("allowed_hosts", "https://a.org"),
        ("allowed_hosts", "a.org:80"),
        ("allowed_hosts", "a.*.org"),
        ("allowed_hosts", "[::zz]"),
        ("cors_origins", "a.org"),
        ("cors_origins", "https://a.org/"),
        ("cors_origins", "https://A.org"),
        ("cors_origins", "https://a.org:443"),
        ("cors_origins", "https://a.org, *"),
        ("trusted_proxies", "proxy.internal"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "*"),
    ],
)
def test_what_would_match_nothing_or_everything_is_refused(setting: str, given: str) -> None:
    with pytest.raises(ConfigurationError, match=f"STEWARD_{setting.upper()}: "):
        load_settings(**{setting: given})


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        ("allowed_hosts", "a.org, *.a.org, 127.0.0.1, [::1]"),
        ("cors_origins", "https://a.org, http://localhost:5173, http://[::1]:8000"),
        ("cors_origins", "*"),
        ("trusted_proxies", "10.0.0.0/8, 192.0.2.1, fd00::/8"),
    ],
)
def test_hosts_origins_and_proxies_are_lists(setting: str, given: str) -> None:
    assert getattr(load_settings(**{setting: given}), setting) == tuple(given.split(", "))


def test_argon2_needs_memory_for_each_lane() -> None:
    with pytest.raises(ConfigurationError, match="STEWARD_HASH_PARALLELISM: needs 8 KiB"):
        load_settings(hash_memory=8, hash_parallelism=2)


def test_refresh_tokens_live_no_shorter_than_access_tokens_and_none_beyond_the_calendar() -> None:
    assert _faults(access_token_ttl=61, refresh_token_ttl=60) == [
        "STEWARD_REFRESH_TOKEN_TTL: must be no less than STEWARD_ACCESS_TOKEN_TTL"
    ]
    beyond = _faults(access_token_ttl=10**13, refresh_token_ttl=10**13, refresh_token_grace=float("inf"))
    assert [fault.partition(":")[0] for fault in beyond] == [
        "STEWARD_ACCESS_TOKEN_TTL",
        "STEWARD_REFRESH_TOKEN_TTL",
        "STEWARD_REFRESH_TOKEN_GRACE",
    ]
    load_settings(access_token_ttl=60, refresh_token_ttl=60)


def test_the_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s" * 32 + "\n")
    monkeypatch.setenv("STEWARD_SECRET_KEY_FILE", str(file))
    secret = load_settings().secret_key
    assert secret is not None
    assert secret.get_secret_value() == "s" * 32
    monkeypatch.setenv("STEWARD_SECRET_KEY", "t" * 32)
    with pytest.raises(ConfigurationError, match="not both"):
        load_settings()
