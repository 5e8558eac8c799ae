"""Checks by pyright what users write: the examples of the documentation, and `another_project.py`.

Steward is installed for them as a wheel installs it, beside the packages of this environment. All of it is written into
a temporary folder; a message names the page and the number of its example.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from textwrap import dedent, indent

from ..support.transcripts import blocks

ROOT = Path(__file__).parents[2]
ANOTHER_PROJECT = Path(__file__).with_name("another_project.py")

_NAMES = """\
import asyncio
import contextlib

import pytest
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import (
    AlreadyInTransaction, ConcurrentUse, TransactionAborted, UnitOfWorkError, UsernameTaken, VersionMismatch
)
from steward.domain.users import NewUser
from steward.service_layer import items, users
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
"""
# What a page takes for known. A prelude that ends with a colon takes the example as its body.
PRELUDES = {
    "README.md": _NAMES,
    "docs/unit-of-work.md": _NAMES
    + "from steward.adapters.database.unit_of_work import DatabaseUnitOfWork\n"
    + "async def example(store: Database, uow: DatabaseUnitOfWork, me: Actor) -> None:\n",
    "docs/plain-sessions.md": dedent("""\
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from steward.adapters.database.database import Database
        database = Database("sqlite+aiosqlite:///notes.db")
        class Base(DeclarativeBase): ...
        class Note(Base):
            __tablename__ = "notes"
            id: Mapped[int] = mapped_column(primary_key=True)
            text: Mapped[str]
        """),
}
APART = {"README.md", "docs/unit-of-work.md"}  # on other pages the examples make one program


def programs() -> dict[str, str]:
    """The examples of every page, by the name of the file that they make."""
    made = {}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        name = str(page.relative_to(ROOT))
        examples = blocks(page.read_text(encoding="utf-8"), "python")
        if examples and name not in APART:
            examples = ["\n".join(examples)]
        prelude = PRELUDES.get(name, "")
        for number, example in enumerate(examples):
            body = indent(example, "    ") if prelude.endswith(":\n") else example
            made[f"{page.stem}_example_{number}.py"] = prelude + body
    return made


def install(folder: Path) -> None:
    """What pyright looks at of a virtual environment."""
    packages = folder / "venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "steward").symlink_to(ROOT / "src")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder)
        for file, code in programs().items():
            (folder / file).write_text(code, encoding="utf-8")
        shutil.copy(ANOTHER_PROJECT, folder)
        config = {
            "typeCheckingMode": "standard",
            "pythonVersion": "3.11",
            "venvPath": ".",
            "venv": "venv",
            "reportUnnecessaryTypeIgnoreComment": "error",
        }
        (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
        return subprocess.run([sys.executable, "-m", "basedpyright", "--project", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
