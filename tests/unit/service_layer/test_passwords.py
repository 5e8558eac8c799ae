"""Which passwords are taken, and the hasher of the test kit."""

import subprocess
import sys
from importlib import resources

import pytest
from steward.domain.errors import InvalidValue
from steward.domain.users import PasswordHash
from steward.service_layer.hashing import Hasher, Verified, can_match, check_password
from steward.testing import FastHasher

RIGHT = "correct horse"
TOO_LONG = "x" * 129
SURROGATE = "correct \ud800 horse"


def fault_of(password: str) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        check_password(password)
    assert caught.value.field == "password"
    return caught.value


# What is taken


@pytest.mark.parametrize(
    "password",
    [
        "swordfish 8",
        "correct horse",
        "correct horse battery staple",
        "xkfzqwvj",  # 8 characters
        "🐘" * 128,
        "  x x x  ",
        "e\u0301e\u0301e\u0301e\u0301",
    ],
)
def test_a_password_is_taken_exactly_as_it_was_typed(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("xkfzqwv", "too_short"),
        (TOO_LONG, "too_long"),
        ("swordfish\0 8", "control_character"),
        ("swordfish\n8", "control_character"),
        (SURROGATE, "unpaired_surrogate"),
    ],
)
def test_a_password_that_breaks_a_rule_is_refused_and_not_told(password: str, rule: str) -> None:
    fault = fault_of(password)
    assert fault.rule == rule
    assert password not in str(fault)


@pytest.mark.parametrize("password", ["password", "12345678", "qwertyuiop", "Password1", "SUNSHINE", "#1stunna"])
def test_a_common_password_is_refused_however_it_is_capitalised(password: str) -> None:
    fault = fault_of(password)
    assert fault.rule == "common_password"
    assert str(fault) == "This password is one of the most common: choose another one"


def test_every_password_of_the_list_is_refused_and_nothing_of_the_licence_above_it() -> None:
    text = resources.files("steward.service_layer").joinpath("common_passwords.txt").read_text()
    above, below = text.split(f"\n{'-' * 80}\n")
    listed = below.splitlines()
    assert len(listed) > 8000
    assert listed == sorted({password.casefold() for password in listed})
    assert {fault_of(password).rule for password in listed} == {"common_password"}
    assert [line for line in above.splitlines() if 8 <= len(line) <= 128 and check_password(line) != line] == []


def test_the_list_is_read_when_the_first_password_is_checked() -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
from steward.testing import FastHasher
from steward.service_layer.hashing import check_password
def has_been_read():
    return any(name.endswith("common_passwords.txt") for name in opened)
assert not has_been_read()
check_password("correct horse")
assert has_been_read()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_too_long_or_not_utf_8_can_match_nothing() -> None:
    assert can_match("x" * 128)
    assert can_match("")
    assert can_match("a\0b")
    assert not can_match(TOO_LONG)
    assert not can_match(SURROGATE)


# The hasher of the test kit


async def test_the_fast_hasher_tells_the_right_password_from_a_wrong_one() -> None:
    hasher: Hasher = FastHasher()
    stored = await hasher.hash(RIGHT)
    assert await hasher.verify(RIGHT, stored) == Verified(matches=True)
    assert await hasher.verify("Correct horse", stored) == Verified(matches=False)


@pytest.mark.parametrize("against", [None, PasswordHash(""), PasswordHash("$2b$12$x"), PasswordHash("fast$x$y")])
async def test_nothing_matches_where_there_is_no_hash_of_ours(against: PasswordHash | None) -> None:
    for password in (RIGHT, "", "password", TOO_LONG, SURROGATE):
        assert await FastHasher().verify(password, against) == Verified(matches=False), ascii(password)


async def test_the_fast_hasher_updates_a_hash_that_was_made_at_another_cost() -> None:
    stored = await FastHasher(cost=1).hash(RIGHT)
    dearer = FastHasher(cost=2)
    assert await dearer.verify(RIGHT, stored) == Verified(matches=True, updated=await dearer.hash(RIGHT))
    assert await dearer.verify("wrong horse", stored) == Verified(matches=False)


async def test_the_fast_hasher_tells_what_each_call_cost() -> None:
    stored = await FastHasher(cost=2).hash(RIGHT)
    hasher = FastHasher(cost=3)
    await hasher.hash(RIGHT)
    await hasher.verify(RIGHT, stored)
    await hasher.verify(RIGHT, None)
    await hasher.verify(TOO_LONG, stored)
    await hasher.verify(RIGHT, PasswordHash("slow$7$0123"))
    assert hasher.costs == [3, 2, 3, 3, 3]
    assert hasher.calls == 5


async def test_a_password_that_is_refused_costs_nothing() -> None:
    hasher = FastHasher()
    with pytest.raises(InvalidValue):
        await hasher.hash("password")
    assert hasher.calls == 0
