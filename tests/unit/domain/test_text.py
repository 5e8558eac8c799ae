"""What text may hold, and how it is compared."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steward.domain.errors import InvalidValue
from steward.domain.text import check_characters, check_text, fold

C0 = [chr(code) for code in range(0x20)]
CONTROLS = [*C0, "\x7f"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from(CONTROLS) | st.characters(categories=["Cs"]))


def rule_of(text: str, *, multiline: bool = False) -> str:
    with pytest.raises(InvalidValue) as caught:
        check_text("name", text, least=1, most=10, multiline=multiline)
    assert caught.value.field == "name"
    return caught.value.rule


def test_text_at_its_limits_comes_back_unchanged() -> None:
    assert check_text("name", "x", least=1, most=10) == "x"
    assert check_text("name", "x" * 10, least=1, most=10) == "x" * 10


def test_text_one_beyond_its_limits_is_refused() -> None:
    assert rule_of("") == "too_short"
    assert rule_of("x" * 11) == "too_long"


def test_length_is_counted_in_code_points_and_not_in_bytes_or_utf_16_units() -> None:
    assert check_text("name", "🐘" * 10, least=1, most=10) == "🐘" * 10
    assert rule_of("🐘" * 11) == "too_long"


def test_control_characters_are_refused_on_one_line() -> None:
    rules = {control: rule_of(f"a{control}b") for control in CONTROLS}
    assert rules == dict.fromkeys(CONTROLS, "control_character")


def test_control_characters_other_than_breaks_are_refused_on_many_lines() -> None:
    others = [control for control in CONTROLS if control not in "\t\n\r"]
    rules = {control: rule_of(f"a{control}b", multiline=True) for control in others}
    assert rules == dict.fromkeys(others, "control_character")


def test_tabs_and_line_breaks_pass_on_many_lines() -> None:
    assert check_text("description", "a\tb\r\nc", least=0, most=10, multiline=True) == "a\tb\r\nc"


@pytest.mark.parametrize("code", [0xD800, 0xDBFF, 0xDC00, 0xDFFF], ids=hex)
def test_unpaired_surrogates_are_refused(code: int) -> None:
    assert rule_of(f"a{chr(code)}b") == "unpaired_surrogate"


@pytest.mark.parametrize("character", ["\x80", "\x9f", "\u200b", "\u2028", "\ufeff", "\ufffe", "\U0010ffff"], ids=ascii)
def test_characters_that_are_merely_odd_pass(character: str) -> None:
    assert check_text("name", character, least=1, most=10) == character


@pytest.mark.parametrize("value", [None, 7, b"bytes", ["list"]])
def test_what_is_not_text_is_refused_and_not_converted(value: object) -> None:
    assert rule_of(value) == "string_type"  # type: ignore[arg-type]


@given(ANY_TEXT, st.booleans())
@settings(database=None)
def test_what_passes_holds_no_controls_but_breaks_and_can_be_sent_as_utf_8(text: str, multiline: bool) -> None:
    breaks = "\t\n\r" if multiline else ""
    harmless = all(unicodedata.category(c) != "Cs" and (c in breaks or c not in CONTROLS) for c in text)
    if harmless:
        assert check_characters("name", text, multiline=multiline) is text
        assert text.encode().decode() == text
    else:
        with pytest.raises(InvalidValue):
            check_characters("name", text, multiline=multiline)


@given(TEXT)
@settings(database=None)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(TEXT)
@settings(database=None)
def test_composed_and_decomposed_text_fold_alike(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(text) == fold(unicodedata.normalize("NFC", text))


@given(TEXT)
@settings(database=None)
def test_folding_ignores_case(text: str) -> None:
    assert fold(text.casefold()) == fold(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),  # the final sigma
        ("é", "e\u0301"),
        ("ﬁ", "FI"),
    ],
)
def test_texts_that_differ_by_case_or_composition_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_keeps_compatibility_characters_apart() -> None:
    # NFC, not NFKC: a search for "x2" should not find x².
    assert fold("x²") != fold("x2")
