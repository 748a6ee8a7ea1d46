"""flask cobrowse export: write the files that are generated from the schemas, or check that they are as generated."""

import sys

import click

from commands.group import cobrowse
from commands.terminal import say
from tools.api_reference import export as files


@cobrowse.command()
@click.argument("kind", type=click.Choice(list(files.KINDS)), required=False)
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is not what would be written.")
def export(kind: str | None, check: bool) -> None:
    """Write deploy/'s OpenAPI document, Postman collection and data action (or one KIND of them)."""
    if not check:
        for path in files.write(kind):
            say(f"wrote {path}")
        return
    stale = files.stale(kind)
    for path in stale:
        say(f"stale: {path}; run flask cobrowse export", err=True)
    sys.exit(1 if stale else 0)
