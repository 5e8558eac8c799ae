"""`steward export` and `steward import`."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from .progress import progress_bars
from .with_app import with_app

if TYPE_CHECKING:
    from rich.progress import Progress

    from ...domain.items import NewItem
    from ..item_files.formats import Format
    from ..item_files.reading import ItemFile
    from ..python import Steward

_LONGEST_LINE = 1024 * 1024  # bytes: far more than an item takes
_READ = 1024 * 1024

Owner = Annotated[str, typer.Option(metavar="USER", help="Whose items: the username or the e-mail address.")]
FormatName = Annotated[
    str | None, typer.Option("--format", metavar="[ndjson|csv]", help="By default as the file's name ends, or ndjson.")
]


def export(
    owner: Owner,
    file: Annotated[str, typer.Argument(help="- for the standard output.")] = "-",
    format: FormatName = None,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="All items as they are at one moment; takes a connection until the end.")
    ] = False,
) -> None:
    """Write all items of a user to a file, in the order of their ids. It gets its name when it is whole."""
    from contextlib import aclosing, nullcontext

    from ...domain.actors import Actor
    from ...service_layer import exports

    chosen = _format(format, file)

    async def work(steward: "Steward") -> int:
        user = await steward.users.find(Actor.system(), name=owner)
        uow = steward.unit_of_work()
        written = 0
        with _writing(file) as target, progress_bars() as report:
            async with uow.reading(snapshot=True) if snapshot else nullcontext():
                total = await exports.count_items(uow, Actor.system(), owner_id=user.id)
                target.write(chosen.head)
                async with aclosing(exports.export_items(uow, Actor.system(), owner_id=user.id)) as chunks:
                    async for chunk in chunks:
                        for piece in chosen.write(chunk):
                            target.write(piece)
                        written += len(chunk)
                        report("items", written, max(total, written))
        return written

    with _files_may_fail():
        written = with_app(work)
    typer.echo(f"{written} items exported", err=True)


def import_(
    owner: Owner,
    file: Annotated[str, typer.Argument(help="- for the standard input.")],
    format: FormatName = None,
) -> None:
    """Add the items of a file to those of a user, all or none. What an exported item has of its own, such as its id, is
    ignored."""
    from ...domain.actors import Actor
    from ...service_layer.imports import import_items
    from ..item_files.reading import ItemFile

    chosen = _format(format, file)

    async def work(steward: "Steward") -> int:
        user = await steward.users.find(Actor.system(), name=owner)
        with _reading(file) as source, _byte_bars() as bars:
            items = ItemFile(source, chosen, user.id, longest_line=_LONGEST_LINE)
            for _ in _shown(items, source, bars, "check"):
                pass
            return await steward.run(import_items, Actor.system(), pieces=lambda: _shown(items, source, bars, "import"))

    with _files_may_fail():
        created = with_app(work)
    typer.echo(f"{created} items imported", err=True)


def _format(name: str | None, file: str) -> "Format":
    from ..item_files.formats import BY_SUFFIX, Format

    if name is not None:
        if name not in list(Format):
            raise typer.BadParameter("the formats are ndjson and csv", param_hint="--format")
        return Format(name)
    if file == "-":
        return Format.NDJSON
    found = BY_SUFFIX.get(Path(file).suffix.lower())
    if found is None:
        raise typer.BadParameter(f"the name of {file} tells no format: say which with --format", param_hint="FILE")
    return found


@contextmanager
def _files_may_fail() -> Iterator[None]:
    """What fails in the database has errors of its own."""
    try:
        yield
    except BrokenPipeError:  # whoever reads wants no more (`steward export … | head`): typer ends without a word
        raise
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        typer.echo(f"Error: {where}{error.strerror}", err=True)
        raise typer.Exit(1) from None


@contextmanager
def _writing(name: str) -> Iterator[IO[bytes]]:
    """A file gets its name when it is whole, so that one that was cut never looks so."""
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name).resolve()  # of a link, what it points to is replaced
    if path.exists() and not path.is_file():  # a pipe or a device, which has to stay what it is
        with path.open("wb") as device:
            yield device
        return
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _reading(name: str) -> Iterator[IO[bytes]]:
    """What can be read from its beginning as often as need be: a pipe is copied first."""
    import shutil
    import tempfile

    if name != "-" and Path(name).is_file():
        with Path(name).open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="steward-") as copy:
        if name == "-":
            shutil.copyfileobj(sys.stdin.buffer, copy, _READ)
        else:
            with Path(name).open("rb") as pipe:
                shutil.copyfileobj(pipe, copy, _READ)
        yield copy


def _shown(items: "ItemFile", source: IO[bytes], bars: "Progress", what: str) -> "Iterator[list[NewItem]]":
    """Its pieces, and how far they have come. A retry begins anew."""
    size = source.seek(0, os.SEEK_END)
    bar = bars.add_task(what, total=size)
    for piece in items.pieces():
        bars.update(bar, completed=source.tell())
        yield piece
    bars.update(bar, completed=size)


def _byte_bars() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True))
