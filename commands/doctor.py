"""cobrowse-bridge doctor: checks the configuration and every dependency, with a hint for each failure."""

import sys

import click

from app import transport_of
from cobrowse.clock import SystemClock
from commands.group import Command
from commands.terminal import echo, echo_check, echo_json
from diagnostics import Check, all_passed, diagnose, settings_checks
from integrations.ids import new_id
from settings import ENVIRONMENT, SettingsError, load_settings

# Columns of a check's name.
NAMES = 21
MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("-", "dim")}


@click.command(cls=Command)
@click.option("--conversation", "conversation_id", metavar="ID", default="", help="Check this conversation too.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON, and nothing else.")
def doctor(conversation_id: str, as_json: bool) -> None:
    """Check configuration and connectivity (sends no invitations). Exits 0 if nothing is wrong."""
    results: list[Check] = []
    try:
        settings = load_settings()
    except SettingsError as error:
        results = [_print_check(check, quiet=as_json) for check in settings_checks(error.errors)]
    else:
        checks = diagnose(
            settings,
            environ=ENVIRONMENT,
            clock=SystemClock(),
            new_id=new_id,
            transport=transport_of(settings),
            conversation_id=conversation_id,
        )
        results = [_print_check(check, quiet=as_json) for check in checks]
    if as_json:
        echo_json([{"name": each.name, "ok": each.ok, "found": each.found, "hint": each.hint} for each in results])
    else:
        echo("", summary(results))
    sys.exit(0 if all_passed(results) else 1)


def summary(checks: list[Check]) -> str:
    """A sentence that counts the failed checks."""
    failed = sum(check.ok is False for check in checks)
    total = sum(check.ok is not None for check in checks)
    return f"{failed} of {total} checks failed." if failed else f"All {total} checks passed."


def _print_check(check: Check, *, quiet: bool) -> Check:
    """Print the check and return it."""
    if not quiet:
        mark, style = MARKS[check.ok]
        echo_check(mark, style, check.name, check.found, check.hint, names=NAMES)
    return check
