"""The server's secret where nobody has given one: a file beside the database file."""

import os
import secrets
import stat
import tempfile
from pathlib import Path


class UnusableSecret(Exception):
    """The message is a sentence that names the file and says what to do."""


def secret_key_file(database: Path) -> Path:
    return database.with_name(f"{database.name}.secret-key")


def secret_key_beside(database: Path) -> bytes:
    """The secret in `<database>.secret-key`: 32 characters at least, UTF-8, without the line break at their end.

    Made if it is missing: 256 random bits as text, in a file that its owner alone can read. Processes that start at
    once get the same one. Raises `UnusableSecret`.
    """
    path = secret_key_file(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
    except OSError as error:
        raise UnusableSecret(
            f"The secret key file {path} cannot be made ({error.strerror}): make its folder writable, or set"
            " STEWARD_SECRET_KEY"
        ) from error
    return _read(path)


def _read(path: Path) -> bytes:
    remedy = "or set STEWARD_SECRET_KEY"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read().rstrip(b"\r\n")
        text = secret.decode()
    except OSError as error:
        raise UnusableSecret(
            f"The secret key file {path} cannot be read ({error.strerror}): give it to the user that runs the server,"
            f" {remedy}"
        ) from error
    except UnicodeDecodeError:
        # Without the error, which holds what was read.
        raise UnusableSecret(f"The secret key file {path} is not UTF-8 text: delete it, {remedy}") from None
    # Elsewhere there are no such modes.
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise UnusableSecret(f"The secret key file {path} can be used by others: run chmod 600 on it, {remedy}")
    # A file system that lost its power may leave NULs.
    if len(text) < 32 or "\0" in text:
        raise UnusableSecret(
            f"The secret key file {path} does not hold a secret of 32 characters: delete it, and a new one is made,"
            f" {remedy}"
        )
    return secret


def _make(path: Path) -> None:
    """Whole or not at all, and never in the place of one that another process has made."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:
            _rename_if_missing(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _rename_if_missing(temporary: Path, path: Path) -> None:
    """For file systems without hard links (FAT, some that are mounted from elsewhere)."""
    import fcntl  # POSIX has it alone, and Windows has hard links

    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Ends with the descriptor, and with the process: unlike a lock file it cannot be left behind.
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists():
            temporary.rename(path)
    finally:
        os.close(folder)
