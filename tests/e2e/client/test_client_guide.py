"""The guide to the client and the README's example are run as they stand, against a real server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.steward_server import StewardServer

ROOT = Path(__file__).parents[3]
SHOWN = "http://127.0.0.1:8000"


@pytest.fixture
def guided(sqlite_url: str) -> Iterator[StewardServer]:
    with StewardServer(sqlite_url) as server:
        yield server


def examples(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(code: str, server: StewardServer, folder: Path) -> str:
    """What it prints."""
    assert SHOWN in code
    (folder / "example.py").write_text(code.replace(SHOWN, server.url), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_guide_is_one_program_that_runs(guided: StewardServer, tmp_path: Path) -> None:
    assert run("\n".join(examples("docs/client.md")), guided, tmp_path) == "Box 1\n"


def test_the_example_of_the_readme_prints_what_is_said(guided: StewardServer, tmp_path: Path) -> None:
    (example,) = [each for each in examples("README.md") if "from steward.client" in each]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"prints `{run(example, guided, tmp_path).strip()}`" in readme
