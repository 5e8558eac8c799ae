"""The express lane is optional: without its package, and the line that imports it, the contract holds as well."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def without_lane(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that finds a copy of the package without the lane."""
    package = tmp_path / "steward"
    shutil.copytree(ROOT / "src", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(package / "adapters/database/express")
    module = package / "adapters/database/database.py"
    lines = module.read_text().splitlines(keepends=True)
    others = [line for line in lines if "from .express import" not in line]
    assert len(others) == len(lines) - 1
    module.write_text("".join(others))
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_without_the_express_lane_the_contract_holds(without_lane: dict[str, str], postgres_server_url: str) -> None:
    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**without_lane, "STEWARD_TEST_POSTGRES_URL": postgres_server_url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    found = python("-c", "from steward.adapters.database import database; print(database.__file__)")
    assert found.startswith(without_lane["PYTHONPATH"])
    suites = [f"tests/contract/test_{name}.py" for name in ("our_backends", "execute", "session")]
    tested = python("-m", "pytest", "-q", "-x", "-k", "sqlite or postgres", *suites)
    assert re.search(r"passed on each backend: \d+ sqlite, \d+ sqlite-memory, \d+ postgres", tested)
