"""What text may hold, and how it is compared."""

import unicodedata

from .errors import InvalidValue

_LINE_BREAKS_AND_TAB = "\t\n\r"


def check_text(field: str | tuple[str | int, ...], text: str, *, least: int, most: int, multiline: bool = False) -> str:
    """Return `text` unchanged if it has `least` to `most` characters and each can be stored and shown.

    Refused are NUL and the other C0 controls and DEL (tab and line breaks pass when `multiline`), and unpaired
    surrogates, which no UTF-8 can carry (RFC 3629 section 3). Raises `InvalidValue`.
    """
    if len(text) < least:
        raise InvalidValue(field, "too_short", f"At least {least} characters, please")
    if len(text) > most:
        raise InvalidValue(field, "too_long", f"At most {most} characters, please")
    if text.isascii() and text.isprintable():
        return text
    for character in text:
        if character < " " or character == "\x7f":
            if not (multiline and character in _LINE_BREAKS_AND_TAB):
                raise InvalidValue(field, "control_character", "Control characters are not allowed")
        elif "\ud800" <= character <= "\udfff":
            raise InvalidValue(field, "unpaired_surrogate", "Unpaired surrogates are not allowed")
    return text


def fold(text: str) -> str:
    """The form in which text is searched: NFC, casefolded, NFC again (Unicode 3.13, caseless matching)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
