"""What a process and its children have used, as Linux counts it (proc(5))."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """Of the process, all its threads, and all its descendants, those that it has waited for included."""
    processes = _processes()
    return sum(processes[each].seconds for each in _family(root, processes))


def memory(root: int) -> list[tuple[float, float]]:
    """Resident and proportional MiB of the process and of each descendant: what processes share counts in each one's
    resident size, and once in the sum of the proportional ones."""
    return [_sizes(each) for each in sorted(_family(root, _processes()))]


@dataclass(frozen=True)
class _Process:
    parent: int
    seconds: float


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name before may hold anything, a parenthesis included.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(folder.name)] = _Process(int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)
    return found


def _family(root: int, processes: dict[int, _Process]) -> set[int]:
    family, young = {root}, {root}
    while young:
        young = {each for each, process in processes.items() if process.parent in young}
        family |= young
    return family


def _sizes(process: int) -> tuple[float, float]:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    kibibytes = {name.rstrip(":"): int(size) for name, size, *_ in (line.split() for line in lines)}
    return kibibytes["Rss"] / 1024, kibibytes["Pss"] / 1024
