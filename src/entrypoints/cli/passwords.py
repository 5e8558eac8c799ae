"""Passwords on the command line: never as an argument, which every user of the machine can see."""

import sys
from typing import Annotated

import typer

PasswordOnStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, to its end.")
]


def ask_for_password(*, on_stdin: bool) -> str:
    """Hidden, and twice; a line break at the end of standard input does not belong to the password."""
    if not on_stdin:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is no terminal to ask for the password at: use --password-stdin")
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise typer.BadParameter("the password on standard input is not UTF-8 text") from None
