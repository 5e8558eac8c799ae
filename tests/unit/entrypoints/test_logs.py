"""A log record as a line, for programs and for people."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from steward.config import Settings, load_settings
from steward.entrypoints import logs
from steward.entrypoints.request_id import begin_request, end_request

TOKEN = "stwa_" + "Ab3-_" * 8 + "xyz"
SECRETS = {
    "a token": f"the token {TOKEN} is odd",
    "a refresh token": f"{TOKEN.replace('stwa', 'stwr')}: unknown",
    "a password's hash": "row ($argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g) refused",
    "credentials of HTTP": "got 'Authorization: Bearer c2FsdHNhbHRzYWx0'",
    "credentials by another scheme": "got basic YWRhOmh1bnRlcjI=",
    "the password of a URL": "cannot connect to postgresql+asyncpg://ada:c2FsdHNhbHQ@db.example.org/steward",
    "the row that PostgreSQL has refused": "null value\nDETAIL:  Failing row contains (7, ada, c2FsdHNhbHQ).",
}


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("steward.test")
    logger.propagate = False
    handler = logs.LineHandler()
    handler.setFormatter(logs.LineFormatter("json"))
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def settings(**given: object) -> Settings:
    return load_settings(database_url="sqlite+aiosqlite:///:memory:", **given)


def line_of(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capfd.readouterr().err.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_record_is_one_json_object(capfd: pytest.CaptureFixture[str], log: logging.Logger) -> None:
    log.warning("%d of %s\nwere cut off", 3, "ünfzig")
    line = line_of(capfd)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "warning", "logger": "steward.test", "event": "3 of ünfzig\nwere cut off"}


def test_a_traceback_is_one_of_its_fields_and_shows_no_values(
    capfd: pytest.CaptureFixture[str], log: logging.Logger
) -> None:
    password = "Geheim-4711"
    try:
        raise KeyError(len(password))
    except KeyError:
        log.exception("failed")
    line = line_of(capfd)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("KeyError: 11")
    assert password not in line["exception"].replace(f'password = "{password}"', "")


def test_it_says_of_which_request_it_is_and_outside_of_none(
    capfd: pytest.CaptureFixture[str], log: logging.Logger
) -> None:
    begin_request(b"mine")
    log.warning("inside")
    end_request()
    log.warning("afterwards, in a context that was copied")
    inside, after = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert inside["request_id"] == "mine"
    assert "request_id" not in after


@pytest.mark.parametrize("what", SECRETS)
@pytest.mark.parametrize("written", ["json", "console"])
def test_what_looks_like_a_secret_is_left_out(written: logs.Form, what: str) -> None:
    record = logging.LogRecord("steward.test", logging.ERROR, "", 0, "%s", (SECRETS[what],), None)
    try:
        raise RuntimeError(SECRETS[what])
    except RuntimeError:
        record.exc_info = sys.exc_info()
    line = logs.LineFormatter(written).format(record)
    assert "RuntimeError" in line
    for secret in ("Ab3", "aGFza", "c2FsdHNhbHQ", "YWRhO"):
        assert secret not in line


def test_people_get_a_line_of_text_and_the_traceback_below() -> None:
    record = logging.LogRecord("steward.test", logging.ERROR, "", 0, "failed", (), None)
    try:
        raise KeyError("x")
    except KeyError:
        record.exc_info = sys.exc_info()
    first, *rest = logs.LineFormatter("console").format(record).splitlines()
    assert "error" in first
    assert "failed" in first
    assert rest[-1] == "KeyError: 'x'"


def test_a_line_that_cannot_be_written_is_lost_and_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        logs.write_line("no room")
    logs.write_line("closed")
    monkeypatch.setattr(sys, "stderr", None)
    logs.write_line("none")


def test_what_utf_8_cannot_carry_is_still_a_line(capfd: pytest.CaptureFixture[str], log: logging.Logger) -> None:
    # To our handler alone: pytest would keep the record, and could not tell its own process of it.
    record = logging.LogRecord("steward.test", logging.WARNING, "", 0, "a file \udce4 of another system", (), None)
    log.handlers[0].handle(record)
    assert line_of(capfd)["event"] == "a file \udce4 of another system"


@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [
        ("debug", logging.DEBUG, logging.INFO),
        ("info", logging.INFO, logging.INFO),
        ("error", logging.ERROR, logging.ERROR),
    ],
)
def test_the_level_is_that_of_the_settings_and_libraries_never_log_in_detail(
    level: str, ours: int, others: int
) -> None:
    configuration = logs.logging_of(settings(log_level=level))
    assert configuration["loggers"]["steward"]["level"] == ours
    assert configuration["root"]["level"] == others


def test_the_form_is_json_unless_a_person_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert logs.form_of(settings()) == "json"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert logs.form_of(settings()) == "console"
    assert logs.form_of(settings(log_format="json")) == "json"
    monkeypatch.undo()
    assert logs.form_of(settings(log_format="console")) == "console"
