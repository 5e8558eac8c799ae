"""The command `steward` as a process of its own."""

import subprocess
import sys
from pathlib import Path

from .server import die_with_parent
from .steward_server import PATIENT, QUICK_HASHING, environment

_LIMIT = 300.0  # seconds


def steward(
    *arguments: str, input: str | None = None, directory: Path | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run to its end; `settings` by their names in `Settings`. Without `input` there is nothing to read."""
    return subprocess.run(
        [sys.executable, "-m", "steward", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        input=input if input is not None else "",
        env=environment(**{**QUICK_HASHING, **PATIENT, **settings}),
        cwd=directory,
        timeout=_LIMIT,
        check=False,
        preexec_fn=die_with_parent,
    )
