"""Items as registers of compare-and-set: every write that is acknowledged is there, and none is seen to go back.

Each client reads an item and writes its quantity plus one, with the version that it has read (If-Match). So each write
has one place in the history of its register: the version that it made.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

import httpx2

from .crowd import NeverDone, code_of, crowd, until_done
from .report import Outcome


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a client was answered, and when it asked and was told, in seconds of one clock for all clients."""

    version: int
    quantity: int
    asked: float
    told: float


@dataclass(slots=True)
class _Register:
    id: int
    reads: list[_Seen] = field(default_factory=list)
    writes: list[_Seen] = field(default_factory=list)


async def check(backend: str, *, clients: int, turns: int, registers: int) -> Outcome:
    """Each client tries to write so many times, on two server processes."""
    outcome = Outcome("compare-and-set registers", backend, {"written": 0, "refused": 0, "read": 0})
    async with crowd(backend, servers=2) as those:
        all_registers = [_Register(those.create(quantity=0)["id"]) for _ in range(registers)]

        async def take_turns(number: int) -> None:
            dice = random.Random(number)
            async with those.client(number) as client, those.client(number + 1) as other:
                for _ in range(turns):
                    try:
                        await _increment(client, other, dice.choice(all_registers), outcome)
                    except NeverDone as error:
                        outcome.violations.append(f"never done: {error}")
                        return

        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(take_turns(number))
        async with those.client(0) as client:
            for register in all_registers:
                left = await _read(client, register)
                _hold(register, left, outcome)
    outcome.require("written", "refused")
    return outcome


async def _increment(
    client: httpx2.AsyncClient, other: httpx2.AsyncClient, register: _Register, outcome: Outcome
) -> None:
    """The other client asks another server process, which must know what this one has acknowledged."""
    read = await _read(client, register)
    asked = time.monotonic()
    answer = await until_done(
        client,
        "PATCH",
        f"/items/{register.id}",
        json={"quantity": read.quantity + 1},
        headers={"If-Match": f'"{register.id}-{read.version}"'},
    )
    if answer.status_code == 200:
        register.writes.append(_seen(answer, asked))
        outcome.count("written")
        await _read(other, register)
    elif code_of(answer) == "version_mismatch":
        outcome.count("refused")
    else:
        outcome.violations.append(f"a write was answered {answer.text}")


async def _read(client: httpx2.AsyncClient, register: _Register) -> _Seen:
    asked = time.monotonic()
    read = _seen(await until_done(client, "GET", f"/items/{register.id}"), asked)
    register.reads.append(read)
    return read


def _seen(answer: httpx2.Response, asked: float) -> _Seen:
    item = answer.raise_for_status().json()
    return _Seen(item["version"], item["quantity"], asked, time.monotonic())


def _hold(register: _Register, left: _Seen, outcome: Outcome) -> None:
    """To what a single copy would have answered, that is asked one thing after the other."""
    outcome.count("read", len(register.reads))
    writes = sorted(register.writes, key=lambda write: write.told)
    if left.quantity != len(writes):
        outcome.violations.append(f"{len(writes)} increments were acknowledged, and {left.quantity} are there")
    if len({write.version for write in writes}) != len(writes):
        outcome.violations.append("two writes were told that they had made the same version")
    for seen in (*register.reads, *writes):
        if seen.quantity != seen.version - 1:
            outcome.violations.append(f"version {seen.version} has the quantity {seen.quantity}")
    for write in writes:
        if (newest := _newest(writes, write.asked)) >= write.version:
            outcome.violations.append(f"version {write.version} was asked for after {newest} had been acknowledged")
    for read in register.reads:
        if (newest := _newest(writes, read.asked)) > read.version:
            outcome.violations.append(f"version {read.version} was read after {newest} had been acknowledged")
        if sum(write.asked < read.told for write in writes) < read.version - 1:
            outcome.violations.append(f"version {read.version} was read before it was asked for")


def _newest(writes: list[_Seen], moment: float) -> int:
    """The newest version that had been acknowledged by then."""
    return max((write.version for write in writes if write.told < moment), default=1)


async def test_every_acknowledged_write_of_a_register_is_there_and_none_is_seen_to_go_back(server_backend: str) -> None:
    outcome = await check(server_backend, clients=6, turns=12, registers=2)
    assert outcome.violations == []
