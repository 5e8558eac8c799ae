"""RFC 7396: its own examples, and the laws that follow from its section 2."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steward.domain.attributes import merge_patch

# Appendix A of RFC 7396, each line: the original, the patch, the result.
APPENDIX_A = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x"])
NAMES = st.sampled_from("abc")
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)


def text(value: object) -> str:
    return json.dumps(value)


def without_nulls(value: Any) -> Any:
    """What a patch can say: it can never make a member null."""
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(member) for name, member in value.items() if member is not None}


@pytest.mark.parametrize(("original", "patch", "result"), APPENDIX_A)
def test_the_examples_of_the_rfc(original: str, patch: str, result: str) -> None:
    assert text(merge_patch(json.loads(original), json.loads(patch))) == text(json.loads(result))


def test_the_example_of_section_3() -> None:
    original = {
        "title": "Goodbye!",
        "author": {"givenName": "John", "familyName": "Doe"},
        "tags": ["example", "sample"],
        "content": "This will be unchanged",
    }
    patch = {
        "title": "Hello!",
        "phoneNumber": "+01-123-456-7890",
        "author": {"familyName": None},
        "tags": ["example"],
    }
    assert text(merge_patch(original, patch)) == text(
        {
            "title": "Hello!",
            "author": {"givenName": "John"},
            "tags": ["example"],
            "content": "This will be unchanged",
            "phoneNumber": "+01-123-456-7890",
        }
    )


@given(VALUES)
@settings(database=None)
def test_an_empty_patch_changes_no_object(target: Any) -> None:
    expected = target if isinstance(target, dict) else {}
    assert text(merge_patch(target, {})) == text(expected)


@given(VALUES, VALUES)
@settings(database=None)
def test_applying_a_patch_twice_is_applying_it_once(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert text(merge_patch(once, patch)) == text(once)


@given(VALUES, OBJECTS)
@settings(database=None)
def test_every_member_of_the_patch_is_in_the_result_or_gone(target: Any, patch: dict[str, Any]) -> None:
    merged = merge_patch(target, patch)
    for name, value in patch.items():
        if value is None:
            assert name not in merged
        elif not isinstance(value, dict):
            assert text(merged[name]) == text(value)


@given(OBJECTS, OBJECTS)
@settings(database=None)
def test_members_that_the_patch_does_not_name_keep_value_and_place(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    merged = merge_patch(target, patch)
    kept = [name for name in target if patch.get(name, "kept") is not None]
    assert list(merged)[: len(kept)] == kept
    for name in set(target) - set(patch):
        assert text(merged[name]) == text(target[name])


@given(OBJECTS)
@settings(database=None)
def test_a_patch_on_nothing_is_the_patch_without_its_nulls(patch: dict[str, Any]) -> None:
    assert text(merge_patch({}, patch)) == text(without_nulls(patch))


@given(VALUES, VALUES)
@settings(database=None)
def test_neither_side_is_changed(target: Any, patch: Any) -> None:
    before = text(target), text(patch)
    merge_patch(target, patch)
    assert (text(target), text(patch)) == before
