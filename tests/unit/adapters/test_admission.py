"""Who may use a pool of connections, and who is sent away."""

import asyncio

import pytest
from steward.adapters.database.admission import Admission
from steward.domain.errors import Overloaded

LONG = 60.0


def admission(size: int = 1, *, most_waiting: int = 2, longest_wait: float = LONG) -> Admission:
    return Admission("connections", size, most_waiting=most_waiting, longest_wait=longest_wait)


async def in_line(admission: Admission, name: str, order: list[str]) -> None:
    await admission.enter()
    order.append(name)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_as_there_are_slots_enter_at_once() -> None:
    gate = admission(2)
    await gate.enter()
    await gate.enter()
    assert (gate.in_use, gate.waiting, gate.refused) == (2, 0, 0)


async def test_the_others_wait_in_the_order_in_which_they_came() -> None:
    gate, order = admission(), list[str]()
    await gate.enter()
    tasks = [asyncio.create_task(in_line(gate, name, order)) for name in ("first", "second")]
    await settle()
    assert (gate.in_use, gate.waiting, order) == (1, 2, [])
    for task in tasks:
        gate.leave()
        await task
    assert order == ["first", "second"]
    gate.leave()
    assert (gate.in_use, gate.waiting) == (0, 0)


async def test_who_comes_later_does_not_pass_those_who_wait() -> None:
    gate, order = admission(), list[str]()
    await gate.enter()
    waiting = asyncio.create_task(in_line(gate, "waiting", order))
    await settle()
    gate.leave()
    later = asyncio.create_task(in_line(gate, "later", order))
    await waiting
    assert order == ["waiting"]
    gate.leave()
    await later


async def test_beyond_those_who_may_wait_everybody_is_sent_away_at_once() -> None:
    gate, order = admission(most_waiting=1), list[str]()
    await gate.enter()
    waiting = asyncio.create_task(in_line(gate, "waiting", order))
    await settle()
    with pytest.raises(Overloaded):
        await gate.enter()
    assert (gate.in_use, gate.waiting, gate.refused) == (1, 1, 1)
    gate.leave()
    await waiting
    assert gate.in_use == 1


async def test_nobody_waits_for_ever() -> None:
    gate = admission(longest_wait=0.01)
    await gate.enter()
    with pytest.raises(Overloaded):
        await gate.enter()
    assert (gate.in_use, gate.waiting, gate.refused) == (1, 0, 1)
    gate.leave()
    assert gate.in_use == 0


async def test_who_is_cancelled_in_line_takes_nothing() -> None:
    gate, order = admission(), list[str]()
    await gate.enter()
    tasks = [asyncio.create_task(in_line(gate, name, order)) for name in ("cancelled", "patient")]
    await settle()
    tasks[0].cancel()
    await settle()
    assert gate.waiting == 1
    gate.leave()
    await tasks[1]
    assert order == ["patient"]
    gate.leave()
    assert gate.in_use == 0


async def test_who_is_cancelled_when_the_patience_ends_was_not_refused() -> None:
    gate, order = admission(longest_wait=0.0), list[str]()
    await gate.enter()
    loop, failures = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    try:
        cancelled = asyncio.create_task(in_line(gate, "cancelled", order))
        await asyncio.sleep(0)  # it is in line, and its patience ends in the next step of the event loop
        loop.call_soon(cancelled.cancel)
        await asyncio.wait((cancelled,))
        await settle()
    finally:
        loop.set_exception_handler(None)  # the loop is that of all tests
    assert cancelled.cancelled()
    assert (failures, gate.refused, gate.waiting) == ([], 0, 0)


async def test_a_slot_given_to_somebody_who_is_being_cancelled_goes_to_the_next() -> None:
    gate, order = admission(), list[str]()
    await gate.enter()
    tasks = [asyncio.create_task(in_line(gate, name, order)) for name in ("cancelled", "patient")]
    await settle()
    gate.leave()  # the slot is theirs from now on
    tasks[0].cancel()  # and they never learn of it
    await tasks[1]
    assert tasks[0].cancelled()
    assert order == ["patient"]
    gate.leave()
    assert (gate.in_use, gate.waiting) == (0, 0)
