"""Running Schemathesis on a server: its own process, because it brings its own event loop and its own Hypothesis."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from steward.domain.users import Role

from tests.support.steward_server import StewardServer

from .schemathesis_names import COUNTS, DATABASE_URL, ROLE

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Fuzzing:
    found_nothing: bool
    report: str
    answers: Counter[int]  # by status


def fuzz(database_url: str, role: Role, counts: Path, *options: str) -> Fuzzing:
    """Let a user of this role send generated requests to a server on the database. `options` are those of
    `schemathesis run`."""
    with StewardServer(database_url, access_token_ttl=24 * 3600) as server:
        command = [sys.executable, "-m", "schemathesis.cli"]
        command += ["--config-file", str(Path(__file__).with_name("schemathesis.toml"))]
        command += ["run", f"{server.url}/openapi.json", "--no-color", *options]
        given = {DATABASE_URL: database_url, ROLE: role.value, COUNTS: str(counts), "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, check=False
        )
        errors = [line for line in server.errors if "Traceback" in line]
    answers = Counter({int(status): times for status, times in json.loads(counts.read_text()).items()})
    report = "\n".join([ended.stdout, ended.stderr, *errors])
    return Fuzzing(ended.returncode == 0 and not errors, report, answers)
