"""Environment variables as fields of a dataclass: their forms by type, what a value must be, and how all are read."""

import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import SplitResult

from marshmallow import ValidationError
from marshmallow import fields as forms
from marshmallow.validate import OneOf

from cobrowse.model import Secret
from schemas.addresses import http_url, is_in_the_clear, is_network

Check = Callable[[Any], object]
"""Raises ValidationError, whose text has the remedy and never a secret, if the value is not a good one."""


def _identity(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Row:
    """A setting's metadata: all but its name, type and default.

    `checks` are passed over where the value is empty. `normalise` makes of a valid value what is meant by it. `example`
    is a value to show where the default is empty, `section` the heading that begins with this setting. `essential`:
    each installation sets it.
    """

    text: str
    checks: tuple[Check, ...] = ()
    normalise: Callable[[Any], Any] = _identity
    example: str = ""
    section: str = ""
    essential: bool = False


def setting(default: object, text: str, *checks: Check, **more: Any) -> Any:
    """A dataclass's field that is read from the variable of its name; `more` are fields of Row."""
    return field(default=default, metadata={"row": Row(text, checks, **more)})


def rows(kind: type) -> dict[str, Row]:
    """The rows of a dataclass's settings, by their variables."""
    return {member.name.upper(): member.metadata["row"] for member in fields(kind)}


# What makes a value of each type from a variable's text.
_PARSERS: Mapping[object, Callable[[str], Any]] = {
    str: str.strip,
    Secret: str.strip,
    bool: forms.Boolean().deserialize,
    int: forms.Integer().deserialize,
    float: forms.Float().deserialize,
    tuple[str, ...]: lambda text: tuple(_words(text)),
    tuple[Secret, ...]: lambda text: tuple(_words(text)),
}
# What is made of a value once it has been checked.
_CONVERTERS: Mapping[object, Callable[[Any], Any]] = {
    Secret: Secret,
    tuple[Secret, ...]: lambda words: tuple(map(Secret, words)),
}


def read(kind: type, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The good values that `environ` holds for a dataclass's fields, and what is wrong with the others by variable."""
    values: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for member in fields(kind):
        name, row = member.name.upper(), member.metadata["row"]
        # What is a number, a switch or one of a few words can't hold a secret, and is not empty on purpose.
        plain = member.type in (bool, int, float) or any(isinstance(check, OneOf) for check in row.checks)
        if name not in environ or (plain and not environ[name].strip()):
            continue
        try:
            value = _PARSERS[member.type](environ[name])
            for check in row.checks if value not in ("", ()) else ():
                check(value)
            values[member.name] = _CONVERTERS.get(member.type, _identity)(row.normalise(value))
        except ValidationError as error:
            value_note = f" It is {environ[name][:60]!r}." if plain else ""
            wrong[name] = [f"{message}{value_note}" for message in map(str, error.messages)]
    return values, wrong


def _words(text: str) -> list[str]:
    """The words that commas or blanks separate."""
    return text.replace(",", " ").split()


def choice(*choices: str) -> OneOf:
    """One of these words."""
    return OneOf(choices, error=f"Must be one of {', '.join(choices)}.")


def _url(form: str, is_refused: Callable[[SplitResult], object] = lambda _: False, *, exposes: str = "") -> Check:
    """An absolute http(s) URL of this form. `exposes`: what goes there, if it must be https but to this machine."""

    def check(url: str) -> None:
        parts = http_url(url)
        if parts is None or is_refused(parts):
            raise ValidationError(f"must be {form}")
        if exposes and is_in_the_clear(parts):
            raise ValidationError(f"must be https, since {exposes}")

    return check


def _is_adorned(url: SplitResult) -> bool:
    return bool(url.query or url.fragment or "@" in url.netloc)


# A refusal never shows the URL: the query of a receiver's may hold a token, a proxy's a password.
_PLAIN = "a plain http(s) URL such as https://api.example.com"
plain_url = _url(_PLAIN, _is_adorned)
safe_url = _url(_PLAIN, _is_adorned, exposes="a secret and tokens go there; http is for a sandbox on loopback only")
redirect_uri = _url(
    "an https URL, or http on localhost, as the OAuth client in Genesys has it",
    lambda url: url.fragment or is_in_the_clear(url),
)
receiver_url = _url(
    "a URL such as https://crm.example.com/cobrowse-outcomes, without a user in it",
    lambda url: url.fragment or "@" in url.netloc,
    exposes="outcomes go there; http is for a receiver on loopback only",
)
collector_url = _url("a URL such as http://collector:4318")
proxy_url = _url("a URL such as http://user:password@proxy.example.com:3128", lambda url: url.path not in ("", "/"))


def readable_file(path: str) -> None:
    """A file that this process can read."""
    if not os.access(path, os.R_OK):
        raise ValidationError(f"{path[:200]} can't be read; name a PEM file")


def networks(words: tuple[str, ...]) -> None:
    """Addresses or networks."""
    wrong = [
        f"{word!r} is not an address or network; use a form such as 10.0.0.0/8"
        for word in words
        if not is_network(word)
    ]
    if wrong:
        raise ValidationError(wrong)


def webhook_secrets(words: tuple[str, ...]) -> None:
    """Secrets of Standard Webhooks' form, each of 24 to 64 bytes."""
    for word in words:
        try:
            key = b64decode(word.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not word.startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValidationError("must be whsec_ and the base64 of 24 to 64 bytes; .env.example has a way to make one")


def at_least(length: int, remedy: str) -> Check:
    """So many bytes, since fewer can be guessed."""

    def check(value: str) -> None:
        if len(value.encode(errors="surrogateescape")) < length:
            raise ValidationError(f"must be {length} bytes or longer; {remedy}")

    return check
