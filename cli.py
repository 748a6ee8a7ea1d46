#!/usr/bin/env python3
"""The command line, `cobrowse-bridge`: each command in its module, imported when it is asked for."""

import sys

import click

from cobrowse import __version__
from commands.group import Group, run

# In the order in which one needs them. A command imports what it uses, so that one is not hidden by another's fault.
COMMANDS = {
    "demo": "commands.demo:demo",
    "sandbox": "commands.sandbox:sandbox",
    "serve": "commands.serve:serve",
    "listen": "commands.listen:listen",
    "doctor": "commands.doctor:doctor",
    "login": "commands.login:login",
    "logout": "commands.login:logout",
    "start": "commands.start:start",
    "end": "commands.end:end",
    "status": "commands.status:status",
    "list": "commands.initiations:list_initiations",
    "show": "commands.initiations:show",
    "tail": "commands.initiations:tail",
    "export": "commands.export:export",
    "senders": "commands.senders:senders",
    "send": "commands.send:send",
    "ledger": "commands.ledger:ledger",
    "console-user": "commands.console_user:console_user",
}

program = Group(
    "cobrowse-bridge",
    COMMANDS,
    help="Start cobrowse sessions in Genesys Cloud exactly once, and look after the service that does.",
    context_settings={"max_content_width": 100},
)
click.version_option(__version__, prog_name="cobrowse-bridge")(program)


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    sys.exit(run(program))


if __name__ == "__main__":
    main()
