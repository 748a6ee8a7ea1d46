"""console-user: the entry of CONSOLE_USERS for a person, with the password's hash."""

import sys

import click
from marshmallow import ValidationError

from commands.group import Command
from commands.terminal import echo_json, echo_unwrapped
from console.sign_in import user_row
from schemas.console_users import ROLES, Role, parse_users

# Bytes: fewer can be guessed, throttled or not.
MIN_PASSWORD_BYTES = 12


@click.command("console-user", cls=Command)
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, and nothing else.")
def console_user(name: str, role: Role, as_json: bool) -> None:
    """Print the entry of CONSOLE_USERS for NAME. The password is asked for, or read from standard input."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password.encode()) < MIN_PASSWORD_BYTES:
        raise click.UsageError(
            f"the password must be {MIN_PASSWORD_BYTES} bytes or longer; a shorter one can be guessed"
        )
    row = user_row(name, role, password)
    try:
        parse_users([row])
    except ValidationError:
        raise click.UsageError(f"{name[:60]!r} is not a name: letters, digits and ._@+- only, 64 at most") from None
    if as_json:
        echo_json({"name": name, "role": role, "entry": row})
    else:
        echo_unwrapped(row)
