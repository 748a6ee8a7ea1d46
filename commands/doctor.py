"""flask cobrowse doctor: checks the configuration and every dependency, with a hint for each failure."""

import os
import sys

import click

from app import new_id, transport_of
from cobrowse.clock import SystemClock
from commands.group import cobrowse
from commands.terminal import say, say_json
from diagnostics import Check, diagnose, passed, unsettled
from diagnostics.table import document, render, summary
from settings import SettingsError, load_settings


@cobrowse.command()
@click.option("--conversation", "conversation_id", metavar="ID", default="", help="Check this conversation too.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON, and nothing else.")
def doctor(conversation_id: str, as_json: bool) -> None:
    """Check configuration and connectivity (sends no invitations). Exits 0 if nothing is wrong."""
    try:
        settings = load_settings()
        checks = diagnose(
            settings,
            environ=os.environ,
            clock=SystemClock(),
            new_id=new_id,
            transport=transport_of(settings),
            conversation_id=conversation_id,
        )
    except SettingsError as error:
        checks = unsettled(error.errors)
    made: list[Check] = []
    for check in checks:
        made.append(check)
        if not as_json:
            say(*render(check).split("\n"))
    if as_json:
        say_json([document(check) for check in made])
    else:
        say("", summary(made))
    sys.exit(0 if passed(made) else 1)
