"""What is installed is what was written: the wheel, built from a copy of the sources."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, because setuptools writes `build/` and `*.egg-info` beside the sources.
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder / "wheels", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (folder / "wheels").glob("steward-*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_has_every_source_file_and_no_other_package(wheel: zipfile.ZipFile) -> None:
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        "steward/" + str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*.*")
        if path.suffix in (".py", ".mako", ".txt", ".typed") and "egg-info" not in str(path)
    }
    assert sources - files == set()
    assert {name.split("/")[0] for name in files} == {"steward"}


def test_the_wheel_has_what_is_not_python(wheel: zipfile.ZipFile) -> None:
    assert {
        "steward/py.typed",
        "steward/adapters/migrations/script.py.mako",
        "steward/adapters/migrations/env.py",
        "steward/adapters/migrations/versions/0001_users_and_items.py",
        "steward/service_layer/common_passwords.txt",
        "steward/testing/__init__.py",
    } <= set(wheel.namelist())


def test_what_is_in_the_wheel_migrates_a_database(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    code = """
import asyncio, sys
import steward
from steward.adapters.database.operations import schema
from steward.adapters.database.database import Database
async def main():
    async with Database("sqlite+aiosqlite:///:memory:") as database:
        await schema.upgrade(database)
        await schema.require_newest(database)
asyncio.run(main())
print(steward.__file__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "installed/steward/__init__.py")
