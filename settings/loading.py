"""Reads the settings from the environment. All errors are reported at once, secrets masked."""

import os
from collections.abc import Mapping, Sequence

from integrations.secret_files import Variables
from schemas.environment import read
from settings.conflicts import find_conflicts
from settings.table import Settings

# The process's own environment, in which NAME_FILE stands for NAME.
ENVIRONMENT = Variables(os.environ)


class SettingsError(Exception):
    """The environment is not one to start with. `errors` has one line for each variable that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load_settings(environ: Mapping[str, str] = ENVIRONMENT, *, only: Sequence[str] = ()) -> Settings:
    """The settings in `environ`. SettingsError has a line for each that is wrong, all at once.

    With `only`, the names of some, the others have their defaults whatever is set, and none of them is required.
    """
    names = only or Settings.NAMES
    variables, errors = Variables.of(environ).select(names)
    values, invalid = read(Settings, variables)
    settings = Settings(**values)
    unread = {error.partition("_FILE:")[0] for error in errors}
    errors += [f"{name}: {message}" for name, messages in invalid.items() for message in messages]
    for name, message in find_conflicts(settings):
        if name in names and not {name, "SANDBOX"} & (invalid.keys() | unread):
            errors.append(f"{name}: {message}")
    if errors:
        raise SettingsError(errors)
    return settings
