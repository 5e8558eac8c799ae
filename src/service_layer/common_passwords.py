"""The passwords that are tried first, from `common_passwords.txt`, which says where they come from and its licence."""

from functools import cache
from importlib import resources


def is_common(password: str) -> bool:
    """Upper and lower case do not matter: who tries a common password tries its spellings too."""
    return password.casefold() in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    """Read when the first password is checked: about a megabyte."""
    assert __package__
    text = resources.files(__package__).joinpath("common_passwords.txt").read_text(encoding="ascii")
    _, _, passwords = text.partition(f"\n{'-' * 80}\n")
    return frozenset(passwords.splitlines())
