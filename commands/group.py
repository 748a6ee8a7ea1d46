"""What every command shares: the group, and settings faults in plain lines."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from commands.terminal import SafeGroup, say
from settings import SettingsError

P = ParamSpec("P")
cobrowse = SafeGroup("cobrowse", help="Start cobrowse sessions in Genesys Cloud, and operate the service that does.")


def report_settings_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Print the settings errors, one per line, and exit with 2."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            say("Invalid configuration (.env.example explains each variable):", err=True)
            for fault in error.errors:
                say(f"  {fault}", err=True)
            sys.exit(2)

    return run
