"""What writers were told, and the comparison of that with what is stored."""

import itertools
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum, StrEnum

import asyncpg

from .report import Outcome

AT_FIRST = 1_000_000  # the quantity of the first item of a pair


class Kind(StrEnum):
    """A write. All items that it makes have its label as their name."""

    CREATE = "create"
    KEYED = "keyed"  # the same with an Idempotency-Key
    BATCH = "batch"  # makes two items and moves one
    MOVE = "move"  # one from the first item of a pair to the second


_MAKES = {Kind.CREATE: 1, Kind.KEYED: 1, Kind.BATCH: 2, Kind.MOVE: 0}


class Fate(Enum):
    """What the client may believe of its write."""

    STORED = "acknowledged"
    REFUSED = "refused"  # the answer said that nothing was stored
    UNKNOWN = "unknown"  # no answer, or `outcome_unknown`


@dataclass(slots=True)
class Write:
    label: str
    kind: Kind
    pair: int
    fate: Fate = Fate.UNKNOWN
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """`names` counts the items by name, `quantities` is by id, `open_claims` counts keys without an answer."""

    names: Counter[str]
    quantities: dict[int, int]
    open_claims: int
    corruption: str = ""  # what SQLite's integrity check says


@dataclass(slots=True)
class Journal:
    """`pairs` are the ids of the items that are moved between: nothing else changes their quantities."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    name: str = field(default_factory=lambda: secrets.token_hex(4))  # several journals of one database stay apart
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def begin(self, kind: Kind, pair: int) -> Write:
        write = Write(f"{kind} {self.name}-{next(self._numbers)}", kind, pair)
        self.writes.append(write)
        return write

    def of(self, fate: Fate, *kinds: Kind) -> list[Write]:
        return [write for write in self.writes if write.fate is fate and write.kind in (kinds or Kind)]

    def compare(self, stored: Stored, outcome: Outcome) -> None:
        """Counts into `outcome` what was lost, duplicated, torn, or refused and stored all the same.

        Compare when nothing is under way: what was unknown is known afterwards, and has to stay so.
        """
        for figure in ("lost", "duplicated", "torn", "refused but stored"):
            outcome.count(figure, 0)
        for write in self.writes:
            if (makes := _MAKES[write.kind]) and not write.reported:
                _compare_rows(write, stored.names[write.label], makes, outcome)
        for number, (first, second) in enumerate(self.pairs):
            writes = [write for write in self.writes if write.pair == number and write.kind in (Kind.MOVE, Kind.BATCH)]
            quantities = stored.quantities.get(first, 0), stored.quantities.get(second, 0)
            _compare_pair(number, *quantities, writes, outcome)
        if stored.open_claims:
            _violated(outcome, "torn", f"{stored.open_claims} idempotency keys without an answer", stored.open_claims)
        if stored.corruption:
            outcome.violations.append(f"the file is corrupt: {stored.corruption}")


def _compare_rows(write: Write, found: int, makes: int, outcome: Outcome) -> None:
    if found % makes:
        _violated(outcome, "torn", f"{write.label}: {found} items of {makes}")
    if found > makes:
        _violated(outcome, "duplicated", f"{write.label}: {found} items instead of {makes}")
    if write.fate is Fate.STORED and not found:
        _violated(outcome, "lost", f"{write.label}: acknowledged, and not there")
    if write.fate is Fate.REFUSED and found:
        _violated(outcome, "refused but stored", f"{write.label}: refused, and there")
    write.fate = Fate.STORED if found else Fate.REFUSED
    write.reported = found not in (0, makes)


def _compare_pair(number: int, first: int, second: int, writes: list[Write], outcome: Outcome) -> None:
    """`writes` are those of this pair, each of which moves one."""
    if first + second != AT_FIRST:
        _violated(outcome, "torn", f"pair {number}: {first} and {second} are not {AT_FIRST}")
    known = sum(write.fate is Fate.STORED for write in writes)
    unknown = [write for write in writes if write.fate is Fate.UNKNOWN]
    if second < known:
        _violated(outcome, "lost", f"pair {number}: moved {second} times, {known} acknowledged", known - second)
    if second > known + len(unknown):
        most = known + len(unknown)
        _violated(outcome, "duplicated", f"pair {number}: moved {second} times instead of {most}", second - most)
    for place, write in enumerate(unknown):  # which of them it was makes no difference
        write.fate = Fate.STORED if place < second - known else Fate.REFUSED


def _violated(outcome: Outcome, figure: str, sentence: str, by: int = 1) -> None:
    outcome.count(figure, by)
    outcome.violations.append(sentence)


async def stored_in(url: str, pairs: list[tuple[int, int]]) -> Stored:
    """By SQL, past the server."""
    ids = ", ".join(str(item_id) for pair in pairs for item_id in pair) or "NULL"
    names = "SELECT name, count(*) FROM items GROUP BY name"
    quantities = f"SELECT id, quantity FROM items WHERE id IN ({ids})"
    open_claims = "SELECT count(*) FROM idempotency_keys WHERE answer IS NULL"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.partition("///")[2], timeout=10)) as file:
            (integrity,) = file.execute("PRAGMA integrity_check").fetchone()
            return Stored(
                Counter(dict(file.execute(names))),
                dict(file.execute(quantities)),
                file.execute(open_claims).fetchone()[0],
                "" if integrity == "ok" else integrity,
            )
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return Stored(
            Counter(dict(await connection.fetch(names))),
            dict(await connection.fetch(quantities)),
            await connection.fetchval(open_claims),
        )
    finally:
        await connection.close()
