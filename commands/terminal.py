"""The only place where commands print: what a far side has said must not steer the terminal."""

import click
import orjson
from flask.cli import AppGroup

from integrations.observability.printable import printable, printable_json, printable_lines


def say(*lines: str, err: bool = False) -> None:
    """Print these lines; each stays on one line, whatever it contains."""
    click.echo("\n".join(map(printable, lines)), err=err)


def say_json(document: object) -> None:
    """Print a document as indented JSON."""
    click.echo(printable_json(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()))


class SafeGroup(AppGroup):
    """A group whose commands' errors are printed as safely as their output."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. An error that click prints may quote the far side."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = printable_lines(error.message)  # its type is read-only
            raise
