"""Reads who may call: the API keys, the senders file and where their rates are counted."""

from collections.abc import Mapping
from pathlib import Path

from cobrowse.clock import Clock
from integrations.secret_files import Variables
from integrations.senders.auth.credentials import ApiKeys
from integrations.senders.rate_limit import RateLimiter
from integrations.senders.registry import Senders, SendersFileError, load_senders, retention_faults
from settings.loading import ENVIRONMENT, SettingsError
from settings.table import Settings


def load_auth(
    settings: Settings, clock: Clock, environ: Mapping[str, str] = ENVIRONMENT, senders_text: str | None = None
) -> tuple[ApiKeys, Senders, RateLimiter]:
    """Who may call, and how often. SettingsError with every fault of the API keys and of the senders file.

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
            errors += retention_faults(senders, settings.ledger_retention_seconds)
    except SendersFileError as error:
        errors += error.errors
    try:
        rates = RateLimiter(settings.rate_limit_storage.reveal(), clock)
    except ValueError as error:
        errors.append(str(error))
    if errors:
        raise SettingsError(errors)
    return keys, senders, rates
