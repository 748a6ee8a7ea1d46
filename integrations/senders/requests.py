"""A raw, unverified delivery, and the requests parsed from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qsl

from cobrowse.errors import CobrowseError, SignatureMissing
from cobrowse.model import Channel

# What a header's name follows where the senders file means one: as a delivery's id, in a path, in a template.
HEADER = "header:"
# empty_batch: no event; event: by the envelope (its topic, no agent yet, a heartbeat); filter: the row's
# `filter`; channel: it can't carry cobrowse; no_conversation: none is named, nor a path to one.
IgnoredKind = Literal["empty_batch", "event", "filter", "channel", "no_conversation"]


@dataclass(frozen=True, slots=True)
class UnverifiedRequest:
    """A delivery before authentication. `path` as sent, header names in lower case, `peer` the remote address.

    `received` is when it came; without it no event in it is too old.
    What proves it is in its headers or its query; a traceback that shows variables would show it.
    """

    method: str
    path: str
    query_string: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    peer: str = ""
    received: datetime | None = None

    @property
    def target(self) -> str:
        """The path with its query, as a signature over the URI has it."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    def signature_header(self, name: str) -> str:
        """A header that a signature needs, by its name in any case. SignatureMissing if it is missing or empty."""
        value = self.headers.get(name.lower())
        if not value:
            raise SignatureMissing(f"the header {name} is missing or empty")
        return value

    def query_value(self, name: str) -> bytes:
        """The one value of this query parameter, as it was sent; b"" if it is missing or comes more than once."""
        try:
            # Latin-1 keeps each decoded byte.
            pairs = parse_qsl(self.query_string, keep_blank_values=True, encoding="latin-1", max_num_fields=100)
        except ValueError:
            return b""
        values = [header_bytes(value) for key, value in pairs if key == name]
        return values[0] if len(values) == 1 else b""

    @property
    def media_type(self) -> str:
        """Its Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class SessionRequested:
    """An event that asks for a session. `content` distinguishes a retry from another request with the same id.

    `signed_id`: the sender's signature covers the delivery id.
    """

    conversation_id: str
    channel: Channel | None = None
    requested_by: str = ""
    session_settings: Mapping[str, object] = field(default_factory=dict)
    delivery_id: str = ""
    content: object = field(default=None, repr=False)
    signed_id: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that starts nothing, and why: in words, and as one of a few kinds that can be counted."""

    reason: str
    delivery_id: str = ""
    conversation_id: str = ""
    kind: IgnoredKind = field(default="event", compare=False)
    signed_id: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class InvalidEvent(Ignored):
    """An event of a batch that can't be taken while others of the same batch can; `error` is what it would raise."""

    error: CobrowseError | None = None


def header_bytes(text: str) -> bytes:
    """The bytes a header was sent as: WSGI hands each of them over as one Latin-1 character (PEP 3333)."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
