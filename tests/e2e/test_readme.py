"""The README is a promise: its commands and examples are run, and do what it says."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ..support.server import die_with_parent, port_of, reserved_port
from ..support.steward_server import PATIENT, environment
from ..support.transcripts import blocks, check_transcript

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT = 300.0  # seconds


def make(*arguments: str, **settings: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls nothing that takes a lock
    )


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of the server that `make run` starts."""
    reserved = reserved_port()
    port = port_of(reserved)
    process = make("run", port=port, database_url=f"sqlite+aiosqlite:///{tmp_path / 'var' / 'steward.db'}", **PATIENT)
    try:
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/readyz").raise_for_status()
                break
            except httpx2.HTTPError:
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=LIMIT)
        reserved.close()
    assert "/docs" in output
    assert "'admin' is its first admin" in output


def test_make_run_serves_what_the_transcript_shows(address: str) -> None:
    assert check_transcript(README, address) == 9


def test_make_test_runs_the_tests() -> None:
    process = make("test", "TESTS=tests/unit/domain/test_text.py")
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    assert re.search(r"\d+ passed", output)
    assert "passed on each backend:" in output


def test_the_python_example_prints_what_is_said(tmp_path: Path) -> None:
    _, example, *_ = blocks(README, "python")
    (printed,) = blocks(README, "text")
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (printed, "")


def test_the_unit_test_example_passes(tmp_path: Path) -> None:
    *_, example = blocks(README, "python")
    (tmp_path / "test_example.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--asyncio-mode=auto", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_commands_for_production_run_as_they_stand(postgres_url: str, tmp_path: Path) -> None:
    _, block = blocks(README, "sh")
    url, secret, *commands = [line.partition("#")[0].strip() for line in block.strip().splitlines()]
    assert url.startswith("export STEWARD_DATABASE_URL=postgresql+asyncpg://")
    made = subprocess.run(
        ["bash", "-euc", f'{secret}\necho -n "$STEWARD_SECRET_KEY"'], capture_output=True, text=True, check=True
    )
    assert commands.pop() == "steward serve --workers 2"
    for command in commands:
        program, *arguments = command.split()
        assert program == "steward"
        done = subprocess.run(
            [sys.executable, "-m", "steward", *arguments],
            env=environment(database_url=postgres_url, secret_key=made.stdout, **PATIENT),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        # The server of the tests runs with fsync off, which is what `check` is there to tell.
        assert done.returncode == 0 or "fsync" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_the_links_of_the_readme_lead_somewhere(link: str) -> None:
    assert link.startswith("https://") or (ROOT / link).exists()


def test_make_is_there_and_lists_its_targets() -> None:
    assert shutil.which("make"), "the README needs make"
    output, _ = make("help").communicate(timeout=LIMIT)
    for target in ("run", "test", "check"):
        assert re.search(rf"^{target}\b", output, flags=re.MULTILINE)
