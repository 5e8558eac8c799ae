"""What text may hold, and how it is compared."""

import re
import unicodedata

from .errors import InvalidValue

Field = str | tuple[str | int, ...]

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_CONTROLS_OTHER_THAN_BREAKS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def check_text(field: Field, text: str, *, least: int, most: int, multiline: bool = False) -> str:
    """Return `text` unchanged if it has `least` to `most` characters (code points) that pass `check_characters`.

    Raises `InvalidValue`.
    """
    check_characters(field, text, multiline=multiline)
    if len(text) < least:
        raise InvalidValue(field, "too_short", f"At least {least} characters, please")
    if len(text) > most:
        raise InvalidValue(field, "too_long", f"At most {most} characters, please")
    return text


def check_characters(field: Field, text: str, *, multiline: bool = False) -> str:
    """Return `text` unchanged if every database can store it and every client can show it. Raises `InvalidValue`.

    Refused are the C0 controls and DEL, which forge lines in logs and steer terminals, NUL among them, which
    PostgreSQL cannot store (tab and line breaks pass when `multiline`); and unpaired surrogates, which no UTF-8 can
    carry (RFC 3629 section 3).
    """
    if not isinstance(text, str):
        raise InvalidValue(field, "string_type", "This must be text")
    if text.isascii() and text.isprintable():  # most is
        return text
    if (_CONTROLS_OTHER_THAN_BREAKS if multiline else _CONTROLS).search(text):
        raise InvalidValue(field, "control_character", "Control characters are not allowed")
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
