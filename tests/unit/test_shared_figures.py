"""What server processes share is removed when nobody owns it any more, and not before."""

import os
import subprocess
import sys
from pathlib import Path

_OWNER = "from steward.entrypoints.shared_figures import make_directory; print(make_directory(), flush=True); input()"


def _owner() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def _make_old(directory: Path) -> None:
    os.utime(directory, (0, 0))


def test_what_a_server_that_was_killed_has_left_is_removed_by_the_next_and_what_is_in_use_stays() -> None:
    (killed, left), (alive, used) = _owner(), _owner()
    killed.kill()
    killed.communicate()
    for directory in (left, used):
        _make_old(directory)
    after, new = _owner()
    assert not left.exists()
    assert used.is_dir()
    assert new.is_dir()
    for process in (alive, after):
        process.kill()
        process.communicate()
    for directory in (used, new):
        _make_old(directory)
    last, own = _owner()
    last.kill()
    last.communicate()
    assert not used.exists()
    assert not new.exists()
    (own / "owner").unlink()
    own.rmdir()
