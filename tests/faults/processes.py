"""Processes that are killed together with their children."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def children_of(process_id: int) -> list[int]:
    """The children, and theirs (Linux)."""
    children = []
    for task in Path(f"/proc/{process_id}/task").glob("*/children"):
        with suppress(OSError):
            children += [int(child) for child in task.read_text().split()]
    return [*children, *(each for child in children for each in children_of(child))]


def is_alive(process_id: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def with_children(process_id: int) -> list[int]:
    """The parent first: it shall not notice that the others are gone."""
    return [process_id, *children_of(process_id)]


def kill_all(process_ids: list[int]) -> None:
    """kill -9. Returns when they are gone."""
    for each in process_ids:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    while any(is_alive(each) for each in process_ids):
        time.sleep(0.005)
