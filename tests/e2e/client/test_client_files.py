"""Export and import by the client, against a real server on SQLite and PostgreSQL."""

import io
import json
from pathlib import Path

import pytest
from steward.client import AsyncClient, Client, InvalidRequest, NewItem, NotAuthenticated
from steward.client.uploads import Format

from tests.e2e.client.conftest import PATIENCE, MakeClient
from tests.support.http import PASSWORD
from tests.support.steward_server import StewardServer

# With what divides lines in other places than in NDJSON.
ITEMS = [
    NewItem("Box", quantity=3, attributes={"b": [1.5, None], "a": {"colour": "green"}}),
    NewItem("=1+1", "'quoted'", 0),
    NewItem("Zeilen\u2028Ende", "first\nsecond\r\nthird", 2**31 - 1),
    NewItem("Äpfel", ""),
]


def contents(client: Client) -> list[NewItem]:
    with client.items.export() as exported:
        return [NewItem(item.name, item.description, item.quantity, item.attributes) for item in exported]


def test_items_come_back_from_an_export_as_they_were_imported(client: Client) -> None:
    assert client.items.import_items(ITEMS) == 4
    assert contents(client) == ITEMS
    with client.items.export() as exported:
        assert [item.id for item in exported] == [item.id for item in client.items.list(sort="id")]


def test_an_export_is_imported_again_as_it_comes(client: Client) -> None:
    client.items.import_items(ITEMS)
    with client.items.export() as exported:
        assert client.items.import_items(list(exported)) == 4
    assert contents(client) == ITEMS * 2


@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_a_file_is_written_and_read_again(client: Client, tmp_path: Path, format: Format) -> None:
    client.items.import_items(ITEMS)
    path = tmp_path / f"items.{format}"
    client.items.export_file(path, format=format)
    assert client.items.import_file(path) == 4
    assert contents(client) == ITEMS * 2
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_open_file_is_imported_if_its_format_is_told(client: Client) -> None:
    line = json.dumps({"name": "Box"}).encode()
    assert client.items.import_file(io.BytesIO(line), format="ndjson") == 1
    with pytest.raises(ValueError, match="format"):
        client.items.import_file(io.BytesIO(line))
    with pytest.raises(ValueError, match="format"):
        client.items.import_file("items.txt")
    with pytest.raises(FileNotFoundError):
        client.items.import_file("no-such-file.csv")


def test_a_fault_in_a_line_is_told_and_nothing_is_imported(client: Client) -> None:
    with pytest.raises(InvalidRequest) as raised:
        client.items.import_items([NewItem("Box"), NewItem("Lid", quantity=-1)])
    (fault,) = raised.value.errors
    assert (fault.line, fault.pointer) == (2, "/quantity")
    assert str(fault).startswith("line 2, /quantity: ")
    assert contents(client) == []


def test_an_export_that_nobody_reads_to_its_end_is_given_up(client: Client) -> None:
    client.items.import_items(NewItem(f"Box {number}", "x" * 5000) for number in range(500))
    for _ in range(20):  # more than there are connections in a pool of the server's
        with client.items.export() as exported:
            assert next(exported).name == "Box 0"
    assert client.items.list().count() == 500


def test_an_export_that_is_refused_writes_no_file(
    make_client: MakeClient, server: StewardServer, tmp_path: Path
) -> None:
    with pytest.raises(NotAuthenticated):
        make_client(server.url).items.export_file(tmp_path / "items.csv", format="csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_refused_before_all_of_it_was_sent_is_told_why(
    make_client: MakeClient, server: StewardServer, tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_bytes(b"name\r\n" + b"Box\r\n" * 4_000_000)
    with pytest.raises(NotAuthenticated):
        make_client(server.url, token="stwa_nobody").items.import_file(tmp_path / "items.csv")


async def test_an_asynchronous_export_is_imported_as_it_comes(server: StewardServer) -> None:
    async with AsyncClient(server.url, timeout=PATIENCE) as giver, AsyncClient(server.url, timeout=PATIENCE) as taker:
        for client, name in ((giver, "giver"), (taker, "taker")):
            await client.users.register(username=name, email=f"{name}@example.org", password=PASSWORD)
            await client.sign_in(name, PASSWORD)
        await giver.items.import_items(ITEMS)
        async with giver.items.export() as exported:
            assert await taker.items.import_items(exported) == 4
        assert [item.name async for item in taker.items.list(sort="id")] == [item.name for item in ITEMS]
