"""How an Idempotency-Key may be written."""

import itertools

import pytest

from tests.support.http import Api, problem_of

_numbers = itertools.count()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("k-{}", '"k-{}"', True),
        ('"a\\"b\\\\{}"', '"a\\"b\\\\{}"', True),
        ("k-{}", "K-{}", False),
        ("{}" + "x" * 250, '"{}' + "x" * 250 + '"', True),
        ("{},a", "{},b", False),
    ],
)
async def test_a_key_is_a_string_or_a_bare_token(api: Api, first: str, second: str, same: bool) -> None:
    number = next(_numbers)
    made = [
        await api.client.post("/items", json={"name": "Box"}, headers={"Idempotency-Key": key.format(number)})
        for key in (first, second)
    ]
    assert [each.status_code for each in made] == [201, 201]
    assert (made[0].json()["id"] == made[1].json()["id"]) == same


@pytest.mark.parametrize(
    "value",
    ["", '""', "a b", '"a b"', "ä", "x" * 256, f'"{"x" * 256}"', '"open', 'a"b" c', '"a";b=1', '"a\\b"', "\x7f"],
)
async def test_anything_else_is_malformed(api: Api, value: str) -> None:
    headers = [(b"Idempotency-Key", value.encode())]
    refused = await api.client.post("/items", json={"name": "Box"}, headers=headers)
    assert problem_of(refused) == (400, "malformed_idempotency_key")


async def test_two_keys_are_malformed(api: Api) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    refused = await api.client.post("/items", json={"name": "Box"}, headers=headers)
    assert problem_of(refused) == (400, "malformed_idempotency_key")
