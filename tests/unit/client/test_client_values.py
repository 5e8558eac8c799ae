"""What the client reads and writes: items, lines, digests, files."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steward.client import (
    Batch,
    Fault,
    Item,
    NewItem,
    OutcomeUnknown,
    ToItem,
    ToUser,
    UnexpectedAnswer,
    VersionMismatch,
)
from steward.client.calls import Call
from steward.client.errors import problem_of
from steward.client.files import whole_file
from steward.client.items import create_item, get_item, list_items, transfer_item, update_item
from steward.client.streams import Lines
from steward.client.uploads import Spool, Upload
from steward.client.values import item_of

from tests.support.conversation import item_answer, item_json, problem


def body_of(call: Call[Any]) -> object:
    assert isinstance(call.body, bytes)
    return json.loads(call.body)


def test_an_item_has_the_tag_that_the_server_gives_it() -> None:
    item = item_of(item_json())
    assert item.etag == '"7-4"'
    assert update_item(item, quantity=2).headers["If-Match"] == '"7-4"'
    assert "If-Match" not in update_item(7, quantity=2).headers
    assert get_item(item).headers["If-None-Match"] == '"7-4"'
    assert "If-None-Match" not in get_item(item, with_owner=True).headers


def test_times_are_aware_and_in_utc() -> None:
    assert item_of(item_json()).created_at == datetime(2026, 11, 22, 1, 18, 0, 123456, tzinfo=UTC)
    in_berlin = datetime(2026, 11, 22, 2, 18, tzinfo=timezone(timedelta(hours=1)))
    assert list_items(created_after=in_berlin).parameters["created_after"] == "2026-11-22T01:18:00Z"


def test_an_item_can_be_a_member_of_a_set() -> None:
    assert len({item_of(item_json()), item_of(item_json()), item_of(item_json(version=5))}) == 2


def test_what_a_later_server_adds_is_passed_over() -> None:
    assert item_of(item_json(weight=12)) == item_of(item_json())


def test_absent_is_not_null() -> None:
    assert body_of(update_item(7, description=None)) == {"description": None}
    assert body_of(update_item(7)) == {}
    assert body_of(create_item(name="Box")) == {"name": "Box"}


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("bob", "bob"),
        (ToUser(3), {"user_id": 3}),
        (ToItem(3), {"item_id": 3}),
        (item_of(item_json(id=3)), {"item_id": 3}),
    ],
)
def test_a_recipient_is_a_name_a_user_or_an_item(to: str | ToUser | ToItem, written: object) -> None:
    assert body_of(transfer_item(7, to)) == {"to": written}
    assert body_of(transfer_item(7, to, quantity=2)) == {"to": written, "quantity": 2}


def test_a_batch_names_the_versions_that_were_seen() -> None:
    item = item_of(item_json())
    batch = Batch()
    batch.update(item, quantity=2)
    batch.delete(8)
    assert len(batch) == 2
    assert batch.operations == [
        {"op": "update", "id": 7, "version": 4, "changes": {"quantity": 2}},
        {"op": "delete", "id": 8},
    ]


def test_what_json_does_not_know_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        create_item(name="Box", attributes={"weight": float("nan")})


def test_a_misspelt_argument_is_found_by_the_type_checker() -> None:
    with pytest.raises(TypeError):
        create_item(nam="Box")  # type: ignore[call-arg]


# Errors


def test_an_error_survives_pickling() -> None:
    answer = problem(412, "version_mismatch", errors=[{"code": "x", "detail": "y", "pointer": "/operations/3"}])
    error = pickle.loads(pickle.dumps(problem_of(answer)))
    assert isinstance(error, VersionMismatch)
    assert error.errors == (Fault("x", "y", "/operations/3"),)
    assert pickle.loads(pickle.dumps(OutcomeUnknown("Lost", "k-1"))).idempotency_key == "k-1"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b"\xff"])
def test_a_problem_without_a_document_is_known_by_its_status(body: bytes) -> None:
    answer = httpx2.Response(412, content=body, headers={"Content-Type": "application/problem+json"})
    error = problem_of(answer)
    assert (type(error), error.code) == (VersionMismatch, "http_412")


def test_a_date_in_retry_after_is_passed_over() -> None:
    answer = httpx2.Response(503, headers={"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT"})
    assert problem_of(answer).retry_after is None


# Lines and files


@given(st.lists(st.integers(1, 400)), st.sampled_from(["Box", "Zeilen\u2028Ende", "\x85"]))
@settings(database=None)
def test_lines_are_the_same_however_a_stream_is_cut(cuts: list[int], name: str) -> None:
    rows = [item_json(id=number, name=name) for number in range(1, 4)]
    stream = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    lines = Lines()
    found: list[Item] = []
    for cut in [*cuts, len(stream)]:
        part, stream = stream[:cut], stream[cut:]
        found += lines.items(part)
    lines.end()
    assert found == [item_of(row) for row in rows]


def test_a_stream_that_ends_within_a_line_is_not_whole() -> None:
    lines = Lines()
    assert list(lines.items(item_answer().content)) == []
    with pytest.raises(UnexpectedAnswer):
        lines.end()


def test_an_upload_can_be_read_twice_and_says_what_it_holds(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "items.csv").write_bytes(content)
    with Spool() as spool:
        for upload in (
            Upload.of_path(tmp_path / "items.csv", None),
            spool.upload_of(io.BytesIO(content), "csv"),
        ):
            assert b"".join(upload.chunks()) == b"".join(upload.chunks()) == content
            assert upload.headers["Content-Type"] == "text/csv"
            assert upload.headers["Content-Length"] == "256000"
            digest = upload.headers["Content-Digest"]
            assert b64decode(digest.removeprefix("sha-256=:").removesuffix(":")) == hashlib.sha256(content).digest()


def test_new_items_become_lines() -> None:
    with Spool() as spool:
        spool.add(NewItem("Box\n", "Äpfel", 2, {"b": 1, "a": None}))
        (line,) = b"".join(spool.upload("ndjson").chunks()).splitlines()
    assert json.loads(line) == {
        "name": "Box\n",
        "description": "Äpfel",
        "quantity": 2,
        "attributes": {"b": 1, "a": None},
    }


def test_a_file_that_is_not_whole_never_has_its_name(tmp_path: Path) -> None:
    target = tmp_path / "items.csv"
    target.write_text("yesterday's")
    with pytest.raises(OSError, match="disk"), whole_file(target) as file:
        file.write(b"half of today's")
        raise OSError("disk full")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("items.csv", "yesterday's")]
    with whole_file(target) as file:
        file.write(b"today's")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("items.csv", "today's")]


def test_without_httpx2_the_client_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx2'] = None; import steward.client"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'steward[client]'" in done.stderr
