"""What of the benchmark to run: all of it, unless the environment narrows it for a quick look."""

import os
from dataclasses import dataclass, fields
from typing import Any, Self

from .servers import NAMES
from .work import OPERATIONS

DATABASES = ("postgresql", "sqlite")


@dataclass(frozen=True)
class Options:
    """STEWARD_BENCH_OPERATIONS and so on, names parted by commas. `seconds` is the time of one round; `json` names a
    file that gets every figure; `extras` are the parts beside the rounds: counts, pace, workers."""

    operations: tuple[str, ...] = OPERATIONS
    databases: tuple[str, ...] = DATABASES
    servers: tuple[str, ...] = NAMES
    extras: tuple[str, ...] = ("counts", "pace", "workers")
    rounds: int = 5
    seconds: int = 1
    items: int = 100_000
    connections: int = 32
    pool_size: int = 16
    json: str = ""

    @classmethod
    def from_environment(cls) -> Self:
        """Raises `SystemExit` for a name that is none."""
        read: dict[str, Any] = {field.name: _read(field.name, field.default) for field in fields(cls)}
        given = cls(**read)
        for chosen, known in (
            (given.operations, OPERATIONS),
            (given.databases, DATABASES),
            (given.servers, NAMES),
            (given.extras, cls.extras),
        ):
            if unknown := set(chosen) - set(known):
                raise SystemExit(f"Unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return given


def _read(name: str, default: object) -> object:
    text = os.environ.get(f"STEWARD_BENCH_{name.upper()}")
    if text is None:
        return default
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return type(default)(text)  # type: ignore[call-arg]
