"""Items as files: what is written is read again, and what is wrong is told by its line."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from steward.domain.errors import InvalidRows
from steward.domain.items import MAX_QUANTITY, Item, ItemId, NewItem
from steward.domain.users import UserId
from steward.entrypoints.entity_json import item_json, json_bytes
from steward.entrypoints.item_files import reading
from steward.entrypoints.item_files.formats import Format
from steward.entrypoints.item_files.reading import ItemFile

OWNER, ANOTHER = UserId(7), UserId(9)
NOW = datetime(2026, 11, 22, 1, 18, 0, 123456, tzinfo=UTC)
LONGEST = 64 * 1024
BOTH = pytest.mark.parametrize("format", list(Format))

_OF_A_NAME = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("=+-@',\"")
_OF_A_TEXT = _OF_A_NAME | st.sampled_from("\t\r\n")
NAMES = st.text(_OF_A_NAME, min_size=1, max_size=20)
TEXTS = st.text(_OF_A_TEXT, max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.builds(
    NewItem.of,
    owner_id=st.just(OWNER),
    name=NAMES,
    description=st.none() | TEXTS,
    quantity=st.integers(0, MAX_QUANTITY),
    attributes=st.dictionaries(TEXTS, VALUES, max_size=3),
)


def stored(new: NewItem, item_id: int = 1) -> Item:
    return Item(
        ItemId(item_id), ANOTHER, new.name, new.description, new.quantity, dict(new.attributes), NOW, NOW, version=3
    )


def written(format: Format, new: list[NewItem]) -> bytes:
    return format.head + b"".join(format.write(stored(each, number) for number, each in enumerate(new, 1)))


def read(format: Format, content: bytes) -> list[NewItem]:
    file = ItemFile(io.BytesIO(content), format, OWNER, longest_line=LONGEST)
    return [item for piece in file.pieces() for item in piece]


def faults(format: Format, content: bytes) -> list[tuple[int, str, str]]:
    """Line, field and rule of each."""
    with pytest.raises(InvalidRows) as caught:
        read(format, content)
    return [(fault.line, ".".join(map(str, fault.path)), fault.rule) for fault in caught.value.faults]


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def of(**fields: Any) -> NewItem:
    return NewItem.of(owner_id=OWNER, **{"name": "Box", **fields})


@BOTH
@given(new=st.lists(ITEMS, max_size=4))
@settings(database=None)
@example(new=[of(name="=1+1", description="'=", attributes={"a": 1.10, "b": 1e300, "c": -0.0, "d": 5e-324})])
@example(new=[of(name="'", description=""), of(name="''", description="'"), of(description=None)])
@example(new=[of(description="\r"), of(description="a\rb\nc\r\nd\n"), of(description='"'), of(description='",\r\n"')])
@example(new=[of(name=" Box ", description="\t"), of(name="\ufeffBox"), of(name="Box\u2028")])
def test_whatever_is_exported_is_imported_as_it_was(format: Format, new: list[NewItem]) -> None:
    again = read(format, written(format, new))
    assert again == new
    assert [json.dumps(each.attributes) for each in again] == [json.dumps(each.attributes) for each in new]


def test_a_line_of_ndjson_is_the_item_as_get_shows_it() -> None:
    item = stored(of(name="Größe", attributes={"z": 1, "a": 2.50}))
    (line,) = Format.NDJSON.write([item])
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == json.loads(json_bytes(item_json(item)))
    assert "Größe".encode() in line


def test_csv_has_a_header_and_ends_its_lines_as_rfc_4180_says() -> None:
    content = written(Format.CSV, [of(description='6" long, oak', attributes={"a": [1.5, "x"]})])
    assert content == (
        b"id,owner_id,name,description,quantity,attributes,created_at,updated_at,version\r\n"
        b'1,9,Box,"6"" long, oak",1,"{""a"":[1.5,""x""]}",'
        b"2026-11-22T01:18:00.123456Z,2026-11-22T01:18:00.123456Z,3\r\n"
    )


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", b"'=1+1"),
        ("+1", b"'+1"),
        ("-1", b"'-1"),
        ("@x", b"'@x"),
        ("\tx", b"'\tx"),
        ("\rx", b'"\'\rx"'),
        ("'x", b"''x"),
        ("'", b"''"),
        ("", b"'"),
        (None, b""),
        ("x=1", b"x=1"),
        ("\nx", b'"\nx"'),
    ],
)
def test_no_cell_is_a_formula_to_a_spreadsheet(text: str | None, cell: bytes) -> None:
    content = written(Format.CSV, [of(description=text)])
    assert content.split(b",Box,", 1)[1].startswith(cell + b",1,")
    assert read(Format.CSV, content) == [of(description=text)]


def test_an_apostrophe_that_guards_nothing_stays() -> None:
    assert read(Format.CSV, b"name\r\n'tis\r\n") == [of(name="'tis")]


def test_what_is_not_given_has_the_defaults() -> None:
    assert read(Format.NDJSON, lines({"name": "Box"})) == read(Format.CSV, b"name\nBox") == [of()]


def test_columns_come_in_any_order_and_lines_end_either_way() -> None:
    content = b'\xef\xbb\xbfquantity,name\r\n3,Box\n4,"Li\r\nd"\r\n'
    assert faults(Format.CSV, content) == [(3, "name", "control_character")]
    assert read(Format.CSV, content.replace(b"Li\r\nd", b"Lid")) == [of(quantity=3), of(name="Lid", quantity=4)]


@BOTH
def test_what_an_exported_item_has_of_its_own_is_ignored_whatever_it_is(format: Format) -> None:
    content = {
        Format.NDJSON: lines({"id": "x", "owner_id": [1], "created_at": None, "version": -1, "name": "Box"}),
        Format.CSV: b"id,owner_id,created_at,updated_at,version,name\r\nx,-,,'=,{,Box\r\n",
    }
    assert read(format, content[format]) == [of()]


@BOTH
def test_a_file_of_nothing_has_no_items(format: Format) -> None:
    assert read(format, b"") == read(format, b"\r\n\n\r\n") == read(format, format.head) == []


@BOTH
def test_blank_lines_are_skipped_and_counted(format: Format) -> None:
    content = {
        Format.NDJSON: b'\n \t\r\n{"name": "Box"}\n\n{"name": ""}',
        Format.CSV: b'\r\nname\r\nBox\r\n\r\n""\r\n',
    }
    assert [line for line, _, _ in faults(format, content[format])] == [5]


def test_every_fault_of_a_line_is_told() -> None:
    bad = {"nme": "Box", "quantity": -1, "description": 5, "attributes": {"a": {"b": "\x00"}}}
    assert sorted(faults(Format.NDJSON, lines({"name": "Box"}, bad, {"name": None, "attributes": None}))) == [
        (2, "attributes.a.b", "control_character"),
        (2, "description", "string_type"),
        (2, "name", "missing"),
        (2, "nme", "unknown_member"),
        (2, "quantity", "greater_than_equal"),
        (3, "attributes", "object_type"),
        (3, "name", "string_type"),
    ]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"{", "malformed_json"),
        (b'{"name": "a", "name": "b"}', "malformed_json"),
        (b'{"name": NaN}', "malformed_json"),
        (b'{"name": ' + b"[" * 65 + b"]" * 65 + b"}", "malformed_json"),
        (b'{"name": "\xff"}', "malformed_json"),
        (b'{"name": 1' + b"0" * 5_000 + b"}", "malformed_json"),
        (b'{"name": "Box"}{"name": "Lid"}', "malformed_json"),
        (b"[]", "object_type"),
        (b"null", "object_type"),
        (b'"' + b"x" * LONGEST + b'"', "too_long"),
    ],
)
def test_a_line_that_is_no_item_spoils_no_other(line: bytes, rule: str) -> None:
    content = b'{"name": "Box"}\n' + line + b'\n{"name": ""}\n'
    assert faults(Format.NDJSON, content) == [(2, "", rule), (3, "name", "too_short")]


def test_a_byte_order_mark_is_no_part_of_json() -> None:
    assert faults(Format.NDJSON, b'\xef\xbb\xbf{"name": "Box"}') == [(1, "", "malformed_json")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"name,colour", [("colour", "unknown_member")]),
        (b"name,name", [("name", "repeated_member")]),
        (b"description", [("name", "missing")]),
        (b"name;quantity", [("name;quantity", "unknown_member"), ("name", "missing")]),
    ],
)
def test_a_header_that_is_wrong_is_the_only_fault(header: bytes, expected: list[tuple[str, str]]) -> None:
    assert faults(Format.CSV, header + b"\r\n1,2,3\r\n") == [(1, *each) for each in expected]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"Box,1", ("", "wrong_number_of_cells")),
        (b",1,{}", ("name", "string_type")),
        (b"',1,{}", ("name", "too_short")),
        (b"Box,one,{}", ("quantity", "int_parsing")),
        (b"Box,01,{}", ("quantity", "int_parsing")),
        (b"Box,'-1,{}", ("quantity", "greater_than_equal")),
        (b"Box,99999999999999999999,{}", ("quantity", "int_parsing")),
        (b"Box,,{}", ("quantity", "int_type")),
        (b"Box,1,", ("attributes", "object_type")),
        (b"Box,1,[]", ("attributes", "object_type")),
        (b"Box,1,{", ("attributes", "malformed_json")),
        (b'Box,1,"{""a"":1,""a"":2}"', ("attributes", "malformed_json")),
    ],
)
def test_a_record_that_is_wrong_spoils_no_other(record: bytes, expected: tuple[str, str]) -> None:
    content = b'name,quantity,attributes\r\n"Box",1,{}\r\n' + record + b"\r\nBox,-1,{}\r\n"
    assert faults(Format.CSV, content) == [(3, *expected), (4, "quantity", "greater_than_equal")]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (b'"Box', "malformed_csv"),
        (b'"Box"x', "malformed_csv"),
        (b"Bo\rx", "malformed_csv"),
        (b'"' + b"x" * (LONGEST + 1) + b'"', "too_long"),
        (b'"' + b"x\n" * LONGEST + b'"', "too_long"),
        (b"," * (LONGEST + 1), "too_long"),
        (b"B\xf6x", "not_utf8"),
    ],
)
def test_behind_what_is_no_csv_nothing_is_read(record: bytes, rule: str) -> None:
    assert faults(Format.CSV, b'name\r\n"a\r\nb"\r\n' + record + b"\r\n") == [
        (2, "name", "control_character"),
        (4, "", rule),
    ]


def test_the_first_hundred_faults_are_told_and_all_are_counted() -> None:
    with pytest.raises(InvalidRows, match="250 faults, the first in line 2: ") as caught:
        read(Format.NDJSON, lines({"name": "Box"}, *[{}] * 250))
    assert [fault.line for fault in caught.value.faults] == list(range(2, 102))
    assert caught.value.total == 250


def test_a_file_of_which_nothing_is_right_is_given_up() -> None:
    with pytest.raises(InvalidRows, match=f"{reading.FAULTS_TO_GIVE_UP_AT} faults or more, the first in line 1: "):
        read(Format.NDJSON, b"{}\n" * 2 * reading.FAULTS_TO_GIVE_UP_AT)
