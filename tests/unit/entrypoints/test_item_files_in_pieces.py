"""A file of items is read a few at a time, as often as need be."""

import asyncio
import io
import json
from contextlib import suppress

import pytest
from steward.domain.errors import InvalidRows
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.entrypoints.item_files.formats import Format
from steward.entrypoints.item_files.reading import ItemFile

OWNER = UserId(7)


def file_of(content: bytes) -> ItemFile:
    return ItemFile(io.BytesIO(content), Format.NDJSON, OWNER, longest_line=64 * 1024)


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_a_piece_is_small_in_rows_and_in_bytes() -> None:
    file = file_of(lines(*[{"name": "Box"}] * 1_100))
    assert [len(piece) for piece in file.pieces()] == [500, 500, 100]
    large = lines(*[{"name": "Box", "description": "x" * 10_000}] * 20)
    file = file_of(large)
    assert [len(piece) for piece in file.pieces()] == [7, 7, 6]


def test_no_piece_holds_items_once_there_is_a_fault() -> None:
    content = lines({"name": ""}, *[{"name": "Box"}] * 1_100)
    pieces = file_of(content).pieces()
    assert [next(pieces), next(pieces)] == [[], []]


@pytest.mark.parametrize("content", [b"\n" * 1_000_000, b"{}\n" * 5_000, b'{"name":"a"}\n' * 5_000])
async def test_while_a_file_is_checked_others_have_their_turn_every_few_lines(content: bytes) -> None:
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    with suppress(InvalidRows):
        await file_of(content).check()
    other.cancel()
    assert turns >= 8


def test_a_file_can_be_read_as_often_as_need_be() -> None:
    file = file_of(lines({"name": "Box"}))
    assert list(file.pieces()) == list(file.pieces()) == [[NewItem.of(owner_id=OWNER, name="Box")]]


@pytest.mark.parametrize("name", ["k" * 300, "attributes"])
def test_a_name_that_is_far_too_long_is_not_told(name: str) -> None:
    content = lines({"name": "Box", name: {"k" * 300: "\0"}})
    with pytest.raises(InvalidRows) as caught:
        list(file_of(content).pieces())
    assert [fault.path for fault in caught.value.faults] == [() if name != "attributes" else ("attributes",)]


def test_of_a_header_a_hundred_faults_are_told() -> None:
    content = ",".join(map(str, range(10_000))).encode()
    with pytest.raises(InvalidRows) as caught:
        list(ItemFile(io.BytesIO(content), Format.CSV, UserId(1), longest_line=100_000).pieces())
    assert caught.value.total == 100
