"""Many items through the shell, out and in again, in both formats: nothing is lost, and nothing is held.

A few thousand in every run; `make scale` takes 100,000, and STEWARD_TEST_ITEMS=1000000 a million.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from steward.adapters.database.database import Database
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.entrypoints.item_files.formats import Format
from steward.entrypoints.item_files.reading import ItemFile
from steward.testing import given_user

from ..support.steward_server import PATIENT, environment

ITEMS = int(os.environ.get("STEWARD_TEST_ITEMS", "3000"))
MOST_MEMORY = 250 * 1024  # KiB, of a process, however many items there are


# A child inherits, over fork and exec, the peak of whoever started it, and a process that has run thousands of tests
# is large. So a small one starts it, and tells what its child used.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def run(url: str, *arguments: str) -> None:
    """To its end, however long it takes, and within its memory."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURED, sys.executable, "-m", "steward", *arguments],
        stdout=subprocess.PIPE,
        env=environment(**{**PATIENT, "database_url": url}),
        check=True,
    )
    assert int(done.stdout) < MOST_MEMORY


def items_in(file: Path, format: Format) -> Iterator[NewItem]:
    with file.open("rb") as content:
        for piece in ItemFile(content, format, UserId(1), longest_line=2**20).pieces():
            yield from piece


FORMATS = {"sqlite": Format.CSV, "postgres": Format.NDJSON}


async def test_a_round_trip_gives_all_items_back_exactly(server_backend: str, server_url: str, tmp_path: Path) -> None:
    format = FORMATS[server_backend]
    async with Database(server_url) as database:
        await given_user(database, username="ada")
        run(server_url, "seed", "--users", "0", "--items", str(ITEMS))
        await given_user(database, username="bob")
    out, back = tmp_path / f"out.{format}", tmp_path / f"back.{format}"
    run(server_url, "export", "--owner", "ada", str(out))
    run(server_url, "import", "--owner", "bob", str(out))
    run(server_url, "export", "--owner", "bob", "--snapshot", str(back))
    count = 0
    for given, got in zip(items_in(out, format), items_in(back, format), strict=True):
        assert got == given
        assert json.dumps(got.attributes) == json.dumps(given.attributes)
        count += 1
    assert count == ITEMS
