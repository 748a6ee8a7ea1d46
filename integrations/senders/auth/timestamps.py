"""The timestamp of a signature: how it is written, and how far it may be off."""

import re
from contextlib import suppress
from datetime import datetime
from math import ceil

from cobrowse.errors import SignatureInvalid, StaleTimestamp
from integrations.senders.auth.config import AuthConfig
from schemas.texts import SHOWN_LENGTH

_FORMS = {
    "s": "in seconds since 1970",
    "ms": "in milliseconds since 1970",
    "iso": "a time in ISO 8601 such as 2026-11-27T09:30:00Z",
}
UNITS = tuple(_FORMS)
# .NET writes seven digits of a second, Java up to nine.
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,14}")


def check_age(seconds: float, auth_config: AuthConfig, now: datetime) -> None:
    """Raise StaleTimestamp if this time, in seconds since 1970, is too far off."""
    behind = now.timestamp() - seconds
    if abs(behind) > auth_config.tolerance_seconds:
        side = "behind" if behind > 0 else "ahead of"
        raise StaleTimestamp(
            f"the signature's timestamp is {ceil(abs(behind))} s {side} this service's clock; "
            f"{auth_config.tolerance_seconds:.0f} s are allowed"
        )


def parse_timestamp(text: str, unit: str) -> float:
    """A timestamp as seconds since 1970. SignatureInvalid if it is not of this unit."""
    with suppress(ValueError):
        if unit == "iso" and _ISO.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
        if unit != "iso" and _NUMBER.fullmatch(text):
            return int(text) / (1000 if unit == "ms" else 1)
    raise SignatureInvalid(
        f"the signature fits, but its timestamp {text[:SHOWN_LENGTH]!r} is not {_FORMS[unit]}",
        hint="Let the sender write it so, or set timestamp_unit in a row whose scheme has one.",
    )


def format_timestamp(now: datetime, unit: str) -> str:
    """This time, in UTC, as a sender writes it."""
    if unit == "iso":
        return now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(int(now.timestamp() * (1000 if unit == "ms" else 1)))
