"""The command `steward`."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from . import check, db, item_files, login_sessions, seed, serve, user
from .failures import sentences

app = typer.Typer(
    name="steward",
    help="Keeps users and the items they own.",
    no_args_is_help=True,
    rich_markup_mode=None,  # with it, `--help` would take three times as long
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"steward {version('steward')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command("serve")(serve.serve)
app.command("seed")(seed.seed)
app.command("export")(item_files.export)
app.command("import")(item_files.import_)
app.command("check")(check.check)
app.add_typer(db.app, name="db")
app.add_typer(user.app, name="user")
app.add_typer(login_sessions.app, name="session")


def main() -> None:
    """Errors that were foreseen are told in a sentence each, with exit code 1; a traceback means a bug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    try:
        app()
    except Exception as error:
        told = sentences(error)
        if not told:
            raise
        for sentence in told:
            typer.echo(f"Error: {sentence}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
