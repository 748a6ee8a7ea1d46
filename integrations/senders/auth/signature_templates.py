"""What a row says of an HMAC in templates: which bytes of a request are signed, and a header of more than a signature.

`template` has a request's parts, as `{timestamp}.{body}`; `signature_format` is a header's, as
`t={timestamp},v1={signature}`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.senders.auth import checks
from integrations.senders.auth.config import AuthConfig, secret_bytes
from integrations.senders.requests import HEADER, UnverifiedRequest, header_bytes

# Signatures in one header: a sender has one for each of its keys, and two while one of them is replaced.
MAX_SIGNATURES = 10
_ITEM = re.compile(r"([^{}<>$%]*)\{(timestamp|signature)\}")
_SEPARATORS = ",; "
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# What other systems write around a variable; here it would be signed as the text that it is.
FOREIGN = re.compile(r"[{}<>$%]")
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
_PART_NAMES = ", ".join((*PARTS, f"{HEADER}NAME"))


def names_in(template: str) -> list[str]:
    """The names in braces of a template."""
    return _PLACEHOLDER.findall(template)


def signed_bytes(auth_config: AuthConfig, incoming: UnverifiedRequest, timestamp: str) -> bytes:
    """What the sender has signed: its template with the delivery's own bytes in it. SignatureMissing if one is not."""
    # Texts and names in turn, beginning with a text.
    return b"".join(
        _part(piece, auth_config, incoming, timestamp) if number % 2 else secret_bytes(piece)
        for number, piece in enumerate(_PLACEHOLDER.split(auth_config.template))
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
            return f"has an unknown {{{name[:60]}}}; the parts are {_PART_NAMES}"
    found = FOREIGN.search(_PLACEHOLDER.sub("", template))
    if found:
        return f"has a {found[0]!r} outside its parts, which would be signed as it stands; the parts are {_PART_NAMES}"
    return "" if "body" in names_in(template) else "has no {body}, so the body could be altered"


def _part(name: str, auth_config: AuthConfig, incoming: UnverifiedRequest, timestamp: str) -> bytes:
    if not name.startswith(HEADER):
        return PARTS[name](auth_config, incoming, timestamp)
    return header_bytes(incoming.signature_header(name.removeprefix(HEADER)))


@dataclass(frozen=True, slots=True)
class SignatureFormat:
    """What stands before the "signature" and before the "timestamp", if there is one, and between the two."""

    prefixes: Mapping[str, str]
    separator: str

    @classmethod
    def of(cls, text: str) -> "SignatureFormat":
        """The format in this text. ValueError says what is wrong with it."""
        separator = next((mark for mark in _SEPARATORS if mark in text.strip().partition("}")[2]), ",")
        prefixes: dict[str, str] = {}
        for item in text.split(separator):
            found = _ITEM.fullmatch(item.strip())
            if found is None or found[2] in prefixes:
                raise ValueError("must be items such as t={timestamp},v1={signature}, each a text and one of the two")
            prefixes[found[2]] = found[1]
        if "signature" not in prefixes:
            raise ValueError("has no {signature}")
        if len(set(prefixes.values())) < len(prefixes):
            raise ValueError("has the same text before {timestamp} and {signature}, which can't be distinguished")
        # The longer text first: `v1=` does not begin with `v=`, but `t=` may begin with nothing.
        return cls(dict(sorted(prefixes.items(), key=lambda prefix: -len(prefix[1]))), separator)

    def read(self, header: str) -> tuple[list[str], list[str]]:
        """The signatures and the timestamps of a header, as they are written."""
        found: dict[str, list[str]] = {"signature": [], "timestamp": []}
        for item in map(str.strip, header.split(self.separator)):
            name = next((name for name, text in self.prefixes.items() if item.startswith(text)), None)
            if name is not None:
                found[name].append(item.removeprefix(self.prefixes[name]))
        return found["signature"], found["timestamp"]

    def write(self, signature: str, timestamp: str) -> str:
        """A header of this format."""
        values = {"timestamp": timestamp, "signature": signature}
        return self.separator.join(self.prefixes[name] + values[name] for name in values if name in self.prefixes)


def check_format(value: object) -> str:
    """A signature_format of the senders file."""
    if wrong := checks.text(value):
        return wrong
    try:
        SignatureFormat.of(str(value))
    except ValueError as error:
        return str(error)
    return ""
