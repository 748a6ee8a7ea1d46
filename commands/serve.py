"""cobrowse-bridge serve: the service itself, on HOST and PORT."""

import os
import sys
from pathlib import Path

import click

from commands.group import ENV_FILE, load_environment
from commands.terminal import echo, echo_json
from schemas.settings_errors import SettingsError

# The Procfile's own words, with the file where it is.
GUNICORN = ("gunicorn", "-c", str(Path(__file__).resolve().parent.parent / "gunicorn.conf.py"), "app:create_app()")


# No Command: .env is gunicorn's to read, and to read again at a reload, which would not see what is set already.
@click.command()
@click.option("--env-file", **ENV_FILE)
@click.option("--check", "only_check", is_flag=True, help="Start nothing; exit 0 if the settings let it start.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print what is wrong as JSON, and nothing else.")
def serve(env_file: Path | None, only_check: bool, as_json: bool) -> None:
    """Run the service until it is stopped. HOST, PORT and WEB_CONCURRENCY say where and with how many workers."""
    if only_check:
        from app import configuration_errors  # noqa: PLC0415 - the server imports it after it has patched

        load_environment(env_file)
        errors = configuration_errors(os.environ)
        if as_json:
            echo_json({"ok": not errors, "errors": errors})
            sys.exit(2 if errors else 0)
        if errors:
            raise SettingsError(errors)
        echo("The settings let the service start.")
        return
    if as_json:
        raise click.UsageError("--json needs --check: the service's log is JSON where LOG_FORMAT says so.")
    if env_file:
        os.environ["COBROWSE_ENV_FILE"] = str(env_file.resolve())
    # Nothing is imported from the working folder, nor from gunicorn's by a master that takes this one's place (USR2).
    os.environ["PYTHONSAFEPATH"] = "1"
    # In this process's place, so that signals reach gunicorn.
    os.execv(sys.executable, (sys.executable, "-m", *GUNICORN))  # noqa: S606 - no shell is meant to be there
