"""Dockerfile and docker-compose.yml, held to their specifications as far as they can be without a Docker engine."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]

# https://github.com/compose-spec/compose-spec/blob/main/spec.md: of all there is, what we use.
TOP_LEVEL = {"name", "services", "volumes"}
SERVICE = {
    *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "ports", "restart"),
    *("security_opt", "stop_grace_period", "volumes"),
}
HEALTHCHECK = {"test", "interval", "timeout", "retries", "start_period"}
DURATION = re.compile(r"(\d+(us|ms|s|m|h))+")
SECRET = "correct horse battery staple 4711"
# ${NAME}, ${NAME:-default}, ${NAME:?error}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments, in order."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_compose_uses_what_the_specification_knows(compose: dict[str, Any], services: dict[str, Any]) -> None:
    """`version` is obsolete, and would be a warning."""
    assert set(compose) == TOP_LEVEL
    for service in services.values():
        assert set(service) <= SERVICE
        assert "image" in service or "build" in service


def test_images_are_pinned_to_a_major_version(services: dict[str, Any], dockerfile: list[tuple[str, str]]) -> None:
    assert services["postgres"]["image"] == "postgres:18"
    bases = [arguments.split()[0] for instruction, arguments in dockerfile if instruction == "FROM"]
    assert bases == ["python:3.13-slim"] * 2


def test_the_data_of_postgres_are_in_a_named_volume_where_18_keeps_them(
    compose: dict[str, Any], services: dict[str, Any]
) -> None:
    [volume] = services["postgres"]["volumes"]
    name, path = volume.split(":")
    assert name in compose["volumes"]
    assert path == "/var/lib/postgresql"


def test_every_service_says_whether_it_is_well(services: dict[str, Any]) -> None:
    for service in services.values():
        check = service["healthcheck"]
        assert set(check) <= HEALTHCHECK
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert all(DURATION.fullmatch(check[name]) for name in ("interval", "timeout", "start_period"))
        assert isinstance(check["retries"], int)


def test_the_server_waits_until_the_database_is_well(services: dict[str, Any]) -> None:
    assert services["steward"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_ports_are_published_on_loopback_alone(services: dict[str, Any]) -> None:
    assert "ports" not in services["postgres"]
    assert all(port.startswith("127.0.0.1:") for port in services["steward"]["ports"])


def test_no_secret_has_a_default_and_each_is_required(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service["environment"].items():
            if "PASSWORD" in name or "SECRET" in name:
                variable = VARIABLE.fullmatch(value)
                assert variable is not None, name
                assert variable[2] == "?", f"{name} must be required, with a message"


def test_what_compose_sets_are_settings(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from steward.config import Settings, load_settings

    environment = {
        name: VARIABLE.sub(lambda variable: variable[3] if variable[2] == "-" else SECRET, str(value))
        for name, value in services["steward"]["environment"].items()
    }
    assert {name.removeprefix("STEWARD_").lower() for name in environment} <= set(Settings.model_fields)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    assert settings.shown_database_url == "postgresql+asyncpg://steward:***@postgres:5432/steward"
    assert settings.trusted_proxies == ()
    assert settings.shutdown_timeout < int(services["steward"]["stop_grace_period"].removesuffix("s"))


def test_the_image_does_not_run_as_root(dockerfile: list[tuple[str, str]]) -> None:
    last_stage = dockerfile[max(place for place, (name, _) in enumerate(dockerfile) if name == "FROM") :]
    [user] = [arguments for instruction, arguments in last_stage if instruction == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_the_image_is_installed_from_the_lock_alone(dockerfile: list[tuple[str, str]]) -> None:
    installs = [
        shlex.split(arguments) for name, arguments in dockerfile if name == "RUN" and "pip install" in arguments
    ]
    locked, project = installs
    assert {"--require-hashes", "-r", "/source/requirements.lock"} <= set(locked)
    assert "--no-deps" in project
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_image_holds_no_secret(dockerfile: list[tuple[str, str]]) -> None:
    """Neither set by an instruction, nor copied out of the working directory."""
    assert not [
        arguments
        for name, arguments in dockerfile
        if name in ("ARG", "ENV") and re.search("PASSWORD|SECRET", arguments)
    ]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = [
        source
        for name, arguments in dockerfile
        if name == "COPY" and "--from" not in arguments
        for source in arguments.split()[:-1]
    ]
    assert set(copied) == kept == {"requirements.lock", "pyproject.toml", "README.md", "src"}
    assert all((ROOT / source).exists() for source in copied)


def test_what_runs_in_the_image_is_a_command_of_ours(
    services: dict[str, Any], dockerfile: list[tuple[str, str]]
) -> None:
    [command] = [yaml.safe_load(arguments) for name, arguments in dockerfile if name == "CMD"]
    assert command == ["steward", "serve", "--port", "8000"]
    assert services["steward"]["command"] == [*command, "--migrate"]
