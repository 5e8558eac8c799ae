"""What text may hold, and how it is compared."""

import unicodedata

from .errors import InvalidValue

Field = str | tuple[str | int, ...]

_LINE_BREAKS_AND_TAB = "\t\n\r"


def check_text(field: Field, text: str, *, least: int, most: int, multiline: bool = False) -> str:
    """Return `text` unchanged if it has `least` to `most` characters (code points) and each can be stored and shown.

    Refused is what `check_storable` refuses, and every other C0 control and DEL; tab and line breaks pass when
    `multiline`. Raises `InvalidValue`.
    """
    check_storable(field, text)
    if len(text) < least:
        raise InvalidValue(field, "too_short", f"At least {least} characters, please")
    if len(text) > most:
        raise InvalidValue(field, "too_long", f"At most {most} characters, please")
    for character in text:
        if (character < " " or character == "\x7f") and not (multiline and character in _LINE_BREAKS_AND_TAB):
            raise InvalidValue(field, "control_character", "Control characters are not allowed")
    return text


def check_storable(field: Field, text: str) -> str:
    """Return `text` unchanged if every database and every client can carry it. Raises `InvalidValue`.

    Refused are NUL, which PostgreSQL cannot store, and unpaired surrogates, which no UTF-8 can carry (RFC 3629
    section 3).
    """
    if not isinstance(text, str):
        raise InvalidValue(field, "string_type", "This must be text")
    if "\0" in text:
        raise InvalidValue(field, "control_character", "NUL is not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(field, "unpaired_surrogate", "Unpaired surrogates are not allowed") from None
    return text


def fold(text: str) -> str:
    """The form in which text is searched: two texts that differ only by case or by how Unicode composes them are equal.

    NFC, casefolded, NFC again (Unicode 3.13, D145 canonical caseless matching).
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
