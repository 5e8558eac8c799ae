"""What server processes share is removed when nobody owns it any more, and not before."""

import os
import subprocess
import sys
import time
from pathlib import Path

_OWNER = """
from steward.entrypoints.http.middleware.shared_figures import make_directory
print(make_directory(), flush=True)
input()
"""


def _owner() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def _make_old(directory: Path) -> None:
    os.utime(directory, (0, 0))


def _is_removed(directory: Path) -> bool:
    """In the end: another server that starts on this machine may be at it just now."""
    give_up_at = time.monotonic() + 30
    while directory.exists() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return not directory.exists()


def test_what_a_server_that_was_killed_has_left_is_removed_by_the_next_and_what_is_in_use_stays() -> None:
    (killed, left), (alive, used) = _owner(), _owner()
    killed.kill()
    killed.communicate()
    for directory in (left, used):
        _make_old(directory)
    after, new = _owner()
    assert _is_removed(left)
    assert used.is_dir()
    assert new.is_dir()
    for process in (alive, after):
        process.kill()
        process.communicate()
    _make_old(new)  # the other one is old, and may be gone: any server that starts on this machine looks here
    last, own = _owner()
    last.kill()
    last.communicate()
    assert _is_removed(used)
    assert _is_removed(new)
    (own / "owner").unlink()
    own.rmdir()
