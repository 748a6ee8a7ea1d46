"""Reads the settings from the environment, and who may call. All errors are reported at once, secrets masked."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cobrowse.clock import Clock
from integrations.secret_files import Variables
from integrations.senders.auth.credentials import ApiKeys
from integrations.senders.rate_limit import RateLimiter
from integrations.senders.registry import Senders, SendersFileError, load_senders, retention_errors
from schemas.environment import read
from schemas.settings_errors import SettingsError
from settings.conflicts import find_conflicts
from settings.table import Settings

# The process's own environment, in which NAME_FILE stands for NAME.
ENVIRONMENT = Variables(os.environ)


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


def load_auth(
    settings: Settings, clock: Clock, environ: Mapping[str, str] = ENVIRONMENT, senders_text: str | None = None
) -> tuple[ApiKeys, Senders, RateLimiter]:
    """Who may call, and how often. SettingsError with every error of the API keys and of the senders file.

    `senders_text` is the senders file's text where it was read before.
    """
    errors: list[str] = []
    keys, senders, rates = ApiKeys(), Senders(), RateLimiter(clock=clock)
    try:
        keys = ApiKeys.parse(settings.api_keys.reveal())
    except ValueError as error:
        errors += str(error).splitlines()
    try:
        if settings.senders_file:
            senders = load_senders(
                Path(settings.senders_file),
                Variables.of(environ),
                text=senders_text,
                public_base_url=settings.public_base_url,
                trusted_proxies=settings.trusted_proxies,
                max_body_bytes=settings.max_body_bytes,
                participant_data=settings.participant_data,
            )
            errors += retention_errors(senders, settings.ledger_retention_seconds)
    except SendersFileError as error:
        errors += error.errors
    try:
        rates = RateLimiter(settings.rate_limit_storage.reveal(), clock)
    except ValueError as error:
        errors.append(str(error))
    if errors:
        raise SettingsError(errors)
    return keys, senders, rates
