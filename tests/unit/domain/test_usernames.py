"""Usernames: what they may hold, and which of them are one and the same."""

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steward.domain.errors import InvalidValue
from steward.domain.users import check_username, username_key

ANYTHING = st.text(max_size=80)
# Letters, marks, digits and punctuation of many scripts: most of what is drawn is a username.
LIKELY = st.text(st.characters(categories=["L", "Nd", "Mn", "Mc"], include_characters="._-"), min_size=3, max_size=64)


def refused(username: str) -> str:
    with pytest.raises(InvalidValue) as caught:
        check_username(username)
    assert caught.value.field == "username"
    return caught.value.rule


@pytest.mark.parametrize("username", ["ada", "a" * 64, "Ada.Love-lace_1815", "---", "007"])
def test_letters_digits_dots_dashes_and_underscores_make_a_username(username: str) -> None:
    assert check_username(username) == username


@pytest.mark.parametrize(("username", "rule"), [("", "too_short"), ("ad", "too_short"), ("a" * 65, "too_long")])
def test_a_username_has_3_to_64_characters(username: str, rule: str) -> None:
    assert refused(username) == rule


def test_the_length_is_that_of_the_normalised_name() -> None:
    assert check_username("ﬃ") == "ffi"
    assert refused("e\u0301e\u0301") == "too_short"
    assert check_username("e\u0301" * 64) == "é" * 64
    # Hangul: each syllable is typed with three letters.
    assert check_username("\u1112\u1161\u11ab" * 64) == "한" * 64
    assert refused("ﷺ" * 64) == "username_characters"  # NFKC makes of it four words, with blanks


def test_other_characters_are_refused() -> None:
    others = " @/\\:;,!?#%&*+=~^|<>()[]{}\"'`$\u00a0\u3000€½🐘\u200b\u200d\u2060\ufeff"
    assert {each: refused(f"ada{each}b") for each in others} == dict.fromkeys(others, "username_characters")


def test_what_nfkc_makes_into_a_digit_is_that_digit() -> None:
    assert check_username("ada²b") == "ada2b"


@pytest.mark.parametrize(
    "username",
    ["नमस्ते", "สวัสดี", "שָׁלוֹם", "Ελένη", "Дмитрий", "محمد", "山田太郎", "김민수", "ქეთევანი", "አበበ", "Nguyễn", "Þórr"],
)
def test_names_of_many_scripts_pass_with_the_marks_that_they_are_written_with(username: str) -> None:
    assert check_username(username) == unicodedata.normalize("NFKC", username)


@pytest.mark.parametrize("username", ["\u0301ada", ".\u0301ada", "ada-\u0308b", "\u093eada"], ids=ascii)
def test_a_mark_without_a_letter_before_it_is_refused(username: str) -> None:
    assert refused(username) == "username_characters"


@pytest.mark.parametrize(
    "character",
    ["\u034f", "\u115f", "\u1160", "\u17b4", "\u180b", "\u180f", "\u3164", "\ufe00", "\ufe0f", "\uffa0", "\U000e0100"],
    ids=ascii,
)
def test_letters_and_marks_that_show_nothing_are_refused(character: str) -> None:
    assert refused(f"ada{character}b") == "username_characters"
    assert refused(character * 3) == "username_characters"


def test_the_letters_and_marks_next_to_the_invisible_ones_pass() -> None:
    assert check_username("ab\u0350")
    assert check_username("ab\u1161")
    assert check_username("ab\u17b6")
    assert check_username("ab\ufe20")


@pytest.mark.parametrize(("username", "rule"), [("a\0a", "control_character"), ("a\ud800a", "unpaired_surrogate")])
def test_what_no_text_may_hold_is_refused(username: str, rule: str) -> None:
    assert refused(username) == rule


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "aDA"),
        ("straße", "STRASSE"),
        ("ẞen", "ßen"),
        ("Ångström", "A\u030angstro\u0308m"),
        ("\u212bngström", "ångström"),  # the sign for the unit is the letter
        ("ａｄａ", "ada"),  # full width
        ("ﬁnn", "FINN"),
        ("Σίσυφος", "σίσυφοσ"),
        ("İzmir", "i\u0307zmir"),
    ],
)
def test_case_and_unicode_variants_are_one_name(one: str, other: str) -> None:
    assert username_key(one) == username_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ırmak", "irmak"),  # the dotless i is a letter of its own, in any country
        ("İzmir", "izmir"),
        ("ada", "аda"),  # a Cyrillic letter: alike to the eye, but another name
        ("ada", "ádá"),
        ("a.b", "a_b"),
    ],
)
def test_different_letters_make_different_names(one: str, other: str) -> None:
    assert username_key(one) != username_key(other)


@given(LIKELY | ANYTHING)
@settings(database=None)
def test_what_has_been_checked_once_passes_unchanged(username: str) -> None:
    try:
        checked = check_username(username)
    except InvalidValue:
        return  # nothing was promised of it
    assert check_username(checked) == checked
    assert 3 <= len(checked) <= 64
    assert unicodedata.is_normalized("NFKC", checked)


@given(LIKELY | ANYTHING)
@settings(database=None)
def test_the_key_of_a_key_is_itself(username: str) -> None:
    assert username_key(username_key(username)) == username_key(username)


@given(LIKELY | ANYTHING, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@settings(database=None)
def test_every_normal_form_of_a_name_has_the_same_key(username: str, form: str) -> None:
    variant = unicodedata.normalize(form, username)  # type: ignore[arg-type]
    assert username_key(variant) == username_key(username)
    assert username_key(variant.casefold()) == username_key(username)


@given(st.text("abcdefghijklmnopqrstuvwxyzäöüéèñçø", min_size=3))
@settings(database=None)
def test_upper_and_lower_case_have_the_same_key(username: str) -> None:
    assert username_key(username.upper()) == username_key(username) == username_key(username.title())


def test_no_single_character_escapes_the_laws_of_keys() -> None:
    keys = {character: username_key(character) for character in map(chr, range(sys.maxunicode + 1))}
    unlike = [(character, key) for character, key in keys.items() if key != character]
    assert [ascii(character) for character, key in unlike if username_key(key) != key] == []
    assert [ascii(character) for character, key in unlike if username_key(character.casefold()) != key] == []
