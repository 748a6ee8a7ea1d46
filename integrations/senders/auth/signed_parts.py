"""Which bytes of a request are signed: a template's parts, and the bytes of each."""

import re
from collections.abc import Callable, Mapping

from cobrowse.errors import SignatureMissing
from integrations.senders.auth import checks
from integrations.senders.auth.config import AuthConfig, secret_bytes
from integrations.senders.requests import HEADER, UnverifiedRequest, header_bytes

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# What other systems write around a variable; here it would be signed as the text that it is.
_FOREIGN = re.compile(r"[{}<>$%]")
# HubSpot signs the URL with these and no other escapes undone (developers.hubspot.com, request validation, v3).
_UNDONE = re.compile(rb"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def public_uri(auth_config: AuthConfig, incoming: UnverifiedRequest) -> bytes:
    """The public URL, from PUBLIC_BASE_URL: a Host header is whatever the client wrote."""
    return header_bytes(auth_config.public_base_url) + header_bytes(incoming.target)


# What a template can name, and its bytes; `{header:NAME}` besides.
PARTS: Mapping[str, Callable[[AuthConfig, UnverifiedRequest, str], bytes]] = {
    "body": lambda _auth_config, incoming, _timestamp: incoming.body,
    "timestamp": lambda _auth_config, _incoming, timestamp: header_bytes(timestamp),
    "method": lambda _auth_config, incoming, _timestamp: header_bytes(incoming.method),
    "path": lambda _auth_config, incoming, _timestamp: header_bytes(incoming.target),
    "uri": lambda auth_config, incoming, _timestamp: public_uri(auth_config, incoming),
    "decoded_uri": lambda auth_config, incoming, _timestamp: _UNDONE.sub(
        lambda found: bytes.fromhex(found[1].decode()), public_uri(auth_config, incoming)
    ),
}
_SHOWN = ", ".join((*PARTS, f"{HEADER}NAME"))


def names_in(template: str) -> list[str]:
    """The names in braces of a template."""
    return _PLACEHOLDER.findall(template)


def split_at_names(template: str) -> list[str]:
    """A template's texts and names in turn, beginning and ending with a text."""
    return _PLACEHOLDER.split(template)


def signed_bytes(auth_config: AuthConfig, incoming: UnverifiedRequest, timestamp: str) -> bytes:
    """What the sender has signed: its template with the delivery's own bytes in it. SignatureMissing if one is not."""
    return b"".join(
        _part(piece, auth_config, incoming, timestamp) if number % 2 else secret_bytes(piece)
        for number, piece in enumerate(split_at_names(auth_config.template))
    )


def check_template(value: object) -> str:
    """A template of the senders file."""
    if wrong := checks.text(value):
        return wrong
    template = str(value)
    for name in names_in(template):
        if name.startswith(HEADER):
            if wrong := checks.header(name.removeprefix(HEADER)):
                return f"has a {{{name[:60]}}}, which {wrong}"
        elif name not in PARTS:
            return f"has an unknown {{{name[:60]}}}; the parts are {_SHOWN}"
    found = _FOREIGN.search(_PLACEHOLDER.sub("", template))
    if found:
        return f"has a {found[0]!r} outside its parts, which would be signed as it stands; the parts are {_SHOWN}"
    return "" if "body" in names_in(template) else "has no {body}, so the body could be altered"


def _part(name: str, auth_config: AuthConfig, incoming: UnverifiedRequest, timestamp: str) -> bytes:
    if not name.startswith(HEADER):
        return PARTS[name](auth_config, incoming, timestamp)
    header = name.removeprefix(HEADER)
    value = incoming.headers.get(header.lower())
    if not value:
        raise SignatureMissing(f"the header {header}, which the signature covers, is missing or empty")
    return header_bytes(value)
