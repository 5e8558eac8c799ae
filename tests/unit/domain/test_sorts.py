"""What lists are sorted by, and positions in them."""

from datetime import UTC, datetime

import pytest
from steward.domain.errors import InvalidValue
from steward.domain.filters import ITEM_SORT_FIELDS, ItemFilter, UserFilter
from steward.domain.pages import NEWEST_FIRST, OLDEST_FIRST, Page, Sort, SortKey
from steward.testing import MemoryDatabase, given_item


def sort_of(text: str) -> Sort:
    return Sort.of(text, fields=ITEM_SORT_FIELDS)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("id", "id"),
        ("-id", "-id"),
        ("name", "name,id"),
        ("-name", "-name,-id"),
        ("-created_at,name", "-created_at,name,id"),
        ("name,-created_at", "name,-created_at,-id"),
        ("name,-id", "name,-id"),
        ("-id,name,-quantity", "-id"),
        ("quantity,id,name", "quantity,id"),
    ],
)
def test_the_id_breaks_ties_in_the_direction_of_the_last_field_and_nothing_comes_after_it(
    text: str, meaning: str
) -> None:
    assert str(sort_of(text)) == meaning
    assert sort_of(meaning) == sort_of(text)


def test_a_sort_is_its_fields_with_their_types_and_directions() -> None:
    assert sort_of("-created_at,name").keys == (
        SortKey("created_at", datetime, descending=True),
        SortKey("name", str),
        SortKey("id", int),
    )
    assert (sort_of("-id"), sort_of("id")) == (NEWEST_FIRST, OLDEST_FIRST)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "unknown_sort_field"),
        (",", "unknown_sort_field"),
        ("name,", "unknown_sort_field"),
        ("version", "unknown_sort_field"),
        ("__class__", "unknown_sort_field"),
        ("Name", "unknown_sort_field"),
        ("--name", "unknown_sort_field"),
        ("id,nonsense", "unknown_sort_field"),
        ("name,name", "repeated_sort_field"),
        ("name,-name", "repeated_sort_field"),
        ("id,-id", "repeated_sort_field"),
        (None, "string_type"),
    ],
)
def test_a_field_that_is_unknown_or_named_twice_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        sort_of(text)
    assert (caught.value.field, caught.value.rule) == ("sort", rule)


async def test_a_position_is_what_an_entity_has_in_the_fields_of_the_sort() -> None:
    item = await given_item(MemoryDatabase(), name="Box", quantity=3)
    sort = sort_of("-created_at,quantity")
    assert sort.position_of(item) == (item.created_at, 3, item.id)
    assert sort.check_position(sort.position_of(item)) == (item.created_at, 3, item.id)


def test_a_page_is_its_rows() -> None:
    page = Page(["a", "b"], (2,), 7)
    assert list(page) == ["a", "b"]
    assert len(page) == 2
    assert not Page([])


def test_filters_that_mean_the_same_are_equal_and_can_be_kept_in_a_set() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert {ItemFilter(q="a", created_after=noon), ItemFilter(q="a", created_after=noon)} == {
        ItemFilter(q="a", created_after=noon)
    }
    assert {UserFilter(is_active=True)} != {UserFilter()}
