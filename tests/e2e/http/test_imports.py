"""`POST /items/import`: many new items, all or none, and of what is wrong the line."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.items import NewItem
from steward.service_layer.imports import import_items

from tests.support.http import Api, problem_of, serving

IMPORT = "/items/import"
NDJSON, CSV = {"Content-Type": "application/x-ndjson"}, {"Content-Type": "text/csv"}
BOX = b'{"name": "Box"}\n'


async def names(api: Api, headers: dict[str, str]) -> list[str]:
    return [item["name"] for item in (await api.client.get("/items?sort=id", headers=headers)).json()["data"]]


async def ada(api: Api) -> dict[str, str]:
    return await api.bearer((await api.user())["id"])


def digest(content: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"}


@pytest.mark.parametrize("format", ["ndjson", "csv"])
async def test_an_export_is_imported_as_new_items(api: Api, format: str) -> None:
    giver, taker = await ada(api), await ada(api)
    for description in (None, "", "6\" long\r\n'tis", "=1+1"):
        body = {"name": "Box", "description": description, "quantity": 3, "attributes": {"z": 1, "a": 2.50}}
        await api.client.post("/items", json=body, headers=giver)
    exported = await api.client.get(f"/items/export?format={format}", headers=giver)
    answer = await api.client.post(
        IMPORT, content=exported.content, headers={**taker, "Content-Type": exported.headers["Content-Type"]}
    )
    assert (answer.status_code, answer.json()) == (200, {"created": 4})
    given, taken = [(await api.client.get("/items?sort=id", headers=each)).json()["data"] for each in (giver, taker)]
    kept = ("name", "description", "quantity", "attributes")
    assert [[item[name] for name in kept] for item in taken] == [[item[name] for name in kept] for item in given]
    assert not {item["id"] for item in taken} & {item["id"] for item in given}
    assert {item["version"] for item in taken} == {1}


async def test_many_items_are_imported_at_once(api: Api) -> None:
    headers = await ada(api)
    content = b"".join(b'{"name": "Box %d"}\n' % number for number in range(1_200))
    assert (await api.client.post(IMPORT, content=content, headers=headers | NDJSON)).json() == {"created": 1_200}
    assert (await api.client.get("/items?count=true&limit=1", headers=headers)).json()["count"] == 1_200


@pytest.mark.parametrize("kind", [NDJSON, CSV])
async def test_nothing_is_nothing(api: Api, kind: dict[str, str]) -> None:
    answer = await api.client.post(IMPORT, content=b"", headers=kind)
    assert (answer.status_code, answer.json()) == (200, {"created": 0})


async def test_pieces_of_blank_lines_alone_let_others_have_their_turn(edge: Api) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(take_turns())
    before = after = 0

    def pieces() -> Iterator[list[NewItem]]:
        nonlocal before, after
        before = turns
        yield from [[]] * 100
        after = turns

    await import_items(edge.database.unit_of_work(), Actor.system(), pieces=pieces)
    others.cancel()
    assert after - before >= 99


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (BOX + b'\n{"name": "Lid", "quantity": -1, "attributes": {"a/b": [0, "\\u0000"]}}\n{', NDJSON),
        (b'name,quantity,attributes\nBox,,\nLid,-1,"{""a/b"":[0,""\\u0000""]}"\n"', CSV),
    ],
)
async def test_what_is_wrong_is_told_by_line_and_nothing_is_stored(
    api: Api, content: bytes, kind: dict[str, str]
) -> None:
    headers = await ada(api)
    answer = await api.client.post(IMPORT, content=content, headers=headers | kind)
    assert problem_of(answer) == (422, "invalid_request")
    faults = [(fault["line"], fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
    assert (3, "/quantity", "greater_than_equal") in faults
    assert (3, "/attributes/a~1b/1", "control_character") in faults
    assert faults[-1] == (4, "", "malformed_json" if kind is NDJSON else "malformed_csv")
    assert answer.json()["detail"].startswith(f"{len(faults)} faults, the first in line ")
    assert await names(api, headers) == []


async def test_the_first_hundred_faults_are_told_of_all(edge: Api) -> None:
    answer = await edge.client.post(IMPORT, content=b"{}\n" * 300, headers=NDJSON)
    assert len(answer.json()["errors"]) == 100
    assert answer.json()["detail"].startswith("300 faults, the first in line 1")


@pytest.mark.parametrize(
    ("headers", "names_types"),
    [
        ({"Content-Type": "application/json"}, True),
        ({"Content-Type": "application/x-ndjson; charset=latin-1"}, True),
        ({"Content-Type": "text/csv; charset=utf-16"}, True),
        ({}, True),
        ({"Content-Type": "text/csv", "Content-Encoding": "gzip"}, False),
    ],
)
async def test_it_takes_two_media_types_in_utf_8_as_they_are(
    edge: Api, headers: dict[str, str], names_types: bool
) -> None:
    answer = await edge.client.post(IMPORT, content=BOX, headers=headers)
    assert problem_of(answer) == (415, "unsupported_media_type")
    told = answer.headers["Accept" if names_types else "Accept-Encoding"]
    assert told == ("application/x-ndjson, text/csv" if names_types else "identity")


@pytest.mark.parametrize("kind", ["TEXT/CSV;charset=UTF-8; header=present", 'text/csv; charset="utf-8"'])
async def test_a_media_type_may_have_parameters(edge: Api, kind: str) -> None:
    answer = await edge.client.post(IMPORT, content=b"name\r\nBox\r\n", headers={"Content-Type": kind})
    assert answer.json() == {"created": 1}


@pytest.mark.parametrize("announced", [True, False])
async def test_it_has_a_limit_of_its_own(sqlite_url: str, announced: bool) -> None:
    async with serving(sqlite_url, max_body_size=1024, max_import_size=4096) as api:

        async def content(size: int) -> AsyncIterator[bytes]:
            for _ in range(0, size, len(BOX)):
                yield BOX

        def sent(size: int) -> Any:
            return BOX * (size // len(BOX)) if announced else content(size)

        assert (await api.client.post(IMPORT, content=sent(4096), headers=NDJSON)).json() == {"created": 256}
        assert problem_of(await api.client.post(IMPORT, content=sent(4112), headers=NDJSON)) == (413, "body_too_large")
        line = b'{"name": "%s"}' % (b"x" * 1024)
        answer = await api.client.post(IMPORT, content=line, headers=NDJSON)
        assert [fault["code"] for fault in answer.json()["errors"]] == ["too_long"]


async def test_import_is_a_path_of_its_own_and_no_items(edge: Api) -> None:
    answer = await edge.client.get(IMPORT)
    assert problem_of(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "OPTIONS, POST"


# Digests


async def test_a_body_that_was_damaged_on_its_way_is_refused(api: Api) -> None:
    headers = await ada(api)
    wrong = await api.client.post(IMPORT, content=BOX, headers=headers | NDJSON | digest(BOX + b"\n"))
    assert problem_of(wrong) == (422, "invalid_request")
    assert [(fault["header"], fault["code"]) for fault in wrong.json()["errors"]] == [
        ("Content-Digest", "digest_mismatch")
    ]
    assert await names(api, headers) == []
    right = await api.client.post(IMPORT, content=BOX, headers=headers | NDJSON | digest(BOX))
    assert right.json() == {"created": 1}


async def test_an_idempotency_key_without_a_digest_would_promise_what_it_does_not_keep(edge: Api) -> None:
    answer = await edge.client.post(IMPORT, content=BOX, headers={**NDJSON, "Idempotency-Key": "a-key"})
    assert problem_of(answer) == (422, "invalid_request")
    assert [(fault["header"], fault["code"]) for fault in answer.json()["errors"]] == [("Content-Digest", "missing")]
