"""cobrowse-bridge serve: the service itself, on HOST and PORT."""

import os
import sys
from pathlib import Path

import click

from commands.group import Command
from commands.terminal import say

# The Procfile's own words, with the file where it is.
GUNICORN = ("gunicorn", "-c", str(Path(__file__).resolve().parent.parent / "gunicorn.conf.py"), "app:create_app()")


@click.command(cls=Command)
@click.option("--check", "only_check", is_flag=True, help="Start nothing; exit 0 if the settings let it start.")
def serve(only_check: bool) -> None:
    """Run the service until it is stopped. HOST, PORT and WEB_CONCURRENCY say where and with how many workers."""
    if only_check:
        from app import check  # noqa: PLC0415 - the server imports it after it has patched

        check()
        say("The settings let the service start.")
        return
    # In this process's place, so that signals reach gunicorn; -P: nothing is imported from the working folder.
    os.execv(sys.executable, (sys.executable, "-P", "-m", *GUNICORN))  # noqa: S606 - no shell is meant to be there
