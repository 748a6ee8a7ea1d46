"""cobrowse-bridge export: write the files that are generated from the schemas, or check that they are as generated."""

import sys
from pathlib import Path

import click

from commands.group import Command
from commands.terminal import complain, say
from tools.api_reference import export as files


@click.command(cls=Command)
@click.argument("kind", type=click.Choice(list(files.KINDS)), required=False)
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Below this folder.")
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is not what would be written.")
def export(kind: str | None, to: Path, check: bool) -> None:
    """Write OpenAPI, Postman and data action files, or one KIND, into ./deploy."""
    if not check:
        for path in files.write(kind, to):
            say(f"wrote {to / path}")
        return
    stale = files.stale(kind, to)
    for path in stale:
        complain(f"stale: {to / path}", hint="cobrowse-bridge export writes it anew.")
    sys.exit(1 if stale else 0)
