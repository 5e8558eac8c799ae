"""The directory in which several server processes keep the figures of /metrics together."""

import os
import shutil
import tempfile
import time
from pathlib import Path

# prometheus_client reads it when it is imported.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_PREFIX = "steward-metrics-"
_LOCK = "owner"
_BEGINNING = 60.0  # seconds in which a directory may have no owner yet


def make_directory() -> Path:
    """For the processes that are started from now on; it is this one's for as long as it lives.

    In memory where that can be had: the files are mapped, and a process that writes into one for which a disk has no
    room left is killed (SIGBUS). What servers have left behind that were killed is removed.
    """
    import fcntl  # here, for only POSIX has it, and the variable is read everywhere

    memory = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
    parent = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        if _is_nobodys(left):
            shutil.rmtree(left, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    fcntl.flock(os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)  # until the process ends
    os.environ[VARIABLE] = str(directory)
    return directory


def _is_nobodys(directory: Path) -> bool:
    import fcntl

    try:
        if time.time() - directory.stat().st_mtime < _BEGINNING:
            return False
        lock = os.open(directory / _LOCK, os.O_RDWR)
    except OSError:  # another user's, or removed meanwhile
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
