"""Parses a delivery by its row: bytes → events → a request each, or the reason to ignore it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson
from marshmallow import Schema, ValidationError

from cobrowse.errors import CobrowseError, InvalidRequest, MalformedRequest, UnsupportedType
from integrations.senders.payloads import chat_events, paths
from integrations.senders.payloads.envelopes import Envelope, Loaded
from integrations.senders.payloads.paths import Path
from integrations.senders.requests import Ignored, IgnoredKind, InvalidEvent, SessionRequested, UnverifiedRequest
from schemas.duplicates import check_names
from schemas.json_text import charset_of, parse_body
from schemas.texts import CHANNELS, INCAPABLE, SHOWN, label_in, medium_in
from schemas.validation_errors import in_words

_XML = frozenset({"text/xml", "application/xml", "application/soap+xml"})
_DELIVERY_ID_LENGTH = 255


@dataclass(frozen=True, slots=True)
class EventParser:
    """How a row reads its sender's events.

    The delivery's id is where the row says (`delivery_id` or `delivery_header`), else where the envelope has it, else
    in the scheme's own header (`default_header`). `signed_body`, `signed_header`: what the scheme covers of them.
    """

    envelope: Envelope
    conversation_id: Path | None = None
    channel: Path | None = None
    requested_by: Path | None = None
    session_settings: Path | None = None
    filter: Path | None = None
    delivery_id: Path | None = None
    delivery_header: str = ""
    default_header: str = ""
    signed_body: bool = False
    signed_header: bool = False
    topics: tuple[str, ...] = ()
    max_age_seconds: float = chat_events.MAX_AGE_SECONDS

    def read(self, incoming: UnverifiedRequest) -> tuple[SessionRequested | Ignored, ...]:
        """What the delivery asks for. Raises MalformedRequest, UnsupportedType, InvalidRequest.

        In a batch the last is one event's own and comes as Refused, so that the others are seen to.
        """
        parsed = _parsed(incoming, xml=self.envelope.xml)
        if not self.envelope.xml:
            self._check_names(incoming.body)
        events = self.envelope.split(parsed)
        if not events:
            return (Ignored("the batch is empty", kind="empty_batch"),)
        if len(events) == 1:
            return (self._event(events[0], incoming),)
        return tuple(self._event_of_batch(event, incoming) for event in events)

    def _check_names(self, body: bytes) -> None:
        """Raise InvalidRequest if the body has a name twice that the envelope or one of the row's paths looks at."""
        places = (
            *(self.conversation_id, self.channel, self.requested_by, self.session_settings),
            *(self.filter, self.delivery_id),
        )
        names = set(self.envelope.schema.fields).union(*(path.names for path in places if path is not None))
        try:
            check_names(body, names)
        except ValidationError as error:
            raise InvalidRequest(in_words(error.messages)) from None

    def _event_of_batch(self, event: object, incoming: UnverifiedRequest) -> SessionRequested | Ignored:
        try:
            return self._event(event, incoming)
        except CobrowseError as error:
            return InvalidEvent(error.message, error=error)

    def _event(self, body: object, incoming: UnverifiedRequest) -> SessionRequested | Ignored:
        headers = incoming.headers
        loaded = _loaded(self.envelope.schema, body)
        assert isinstance(body, dict)  # noqa: S101 - the schema takes nothing else
        self.envelope.check(loaded, headers)
        transformed = self.envelope.transformed(body)
        delivery_id, signed = self._delivery_id(transformed, loaded, headers)
        reason = self.envelope.ignore(loaded, self.topics) or self._too_old(loaded, incoming.received)
        kind: IgnoredKind = "event"
        if not reason and self.filter is not None and not paths.is_truthy(self.filter(transformed)):
            reason, kind = "filtered out by the sender's filter", "filter"
        medium = ""
        for medium in () if reason else self._media(transformed, loaded):
            if medium not in CHANNELS:
                reason, kind = f"{medium[:SHOWN]} can't carry cobrowse", "channel"
                break
        if not reason and self.conversation_id is None:
            reason, kind = "the event has no conversation id, and the row names no path to one", "no_conversation"
        if reason or self.conversation_id is None:
            return Ignored(reason, delivery_id, self._conversation_if_any(transformed), kind, signed)
        return SessionRequested(
            paths.conversation_id(self.conversation_id(transformed), self.conversation_id.text),
            CHANNELS[medium],
            label_in(_found(self.requested_by, transformed)[0]),
            paths.session_settings(*_found(self.session_settings, transformed)),
            delivery_id,
            self.envelope.content(body),
            signed,
        )

    def _too_old(self, loaded: Loaded, received: datetime | None) -> str:
        """Why an event from so long ago starts nothing; "" if it is young enough or does not say when it happened."""
        happened = chat_events.moment(self.envelope.time(loaded)) if self.envelope.time is not None else None
        if happened is None or received is None:
            return ""
        age = (received - happened).total_seconds()
        if age <= self.max_age_seconds:
            return ""
        return f"the event is {age:.0f} s old, and the row's max_age_seconds is {self.max_age_seconds:g}"

    def _media(self, transformed: Loaded, loaded: Loaded) -> Iterator[str]:
        """The medium the envelope names, which may be any of Genesys's, then the row's, which must be a known one."""
        if self.envelope.medium is not None:
            yield medium_in(self.envelope.medium(loaded))
        if self.channel is not None:
            medium = paths.medium(self.channel(transformed), self.channel.text)
            if medium not in CHANNELS and medium not in INCAPABLE:
                raise InvalidRequest(f"{self.channel.text}: {medium[:SHOWN]!r} is not webchat, voice or message")
            yield medium

    def _delivery_id(self, transformed: Loaded, loaded: Loaded, headers: Mapping[str, str]) -> tuple[str, bool]:
        """The delivery id, equal in every redelivery, and whether it is signed; "" if there is none."""
        in_body = ""
        if self.delivery_id is not None:
            in_body = paths.plain(self.delivery_id(transformed))
        elif not self.delivery_header:
            # Where the body is signed, no header that is not may have a part in it.
            in_body = paths.plain(self.envelope.delivery_id(loaded, {} if self.signed_body else headers))
        header = "" if self.delivery_id is not None else self.delivery_header or self.default_header
        found = in_body or paths.plain(headers.get(header.lower(), ""))
        return _short(found), self.signed_header or (self.signed_body and bool(in_body))

    def _conversation_if_any(self, transformed: Loaded) -> str:
        """The conversation that an ignored event is about, for the record."""
        if self.conversation_id is None:
            return ""
        try:
            return paths.conversation_id(self.conversation_id(transformed), self.conversation_id.text)
        except InvalidRequest:
            return ""


def _short(delivery_id: str) -> str:
    """The id as it can be kept: one that is long or of other letters as its hash."""
    if len(delivery_id) <= _DELIVERY_ID_LENGTH and delivery_id.isascii() and delivery_id.isprintable():
        return delivery_id
    return "sha256:" + sha256(delivery_id.encode("utf-8", "surrogatepass")).hexdigest()


def _found(path: Path | None, event: Loaded) -> tuple[object, str]:
    return (path(event), path.text) if path is not None else (None, "")


def _loaded(schema: Schema, event: object) -> Loaded:
    try:
        loaded = schema.load(event)  # type: ignore[arg-type]  # the schema refuses what is no object
    except ValidationError as error:
        raise InvalidRequest(in_words(error.messages)) from None
    assert isinstance(loaded, dict)  # noqa: S101 - what a schema without many=True loads
    return loaded


def _parsed(incoming: UnverifiedRequest, *, xml: bool) -> object:
    """The JSON value of a body; XML stays bytes, which its own reader takes."""
    _check_type(incoming.headers, xml=xml)
    if xml:
        if not incoming.body.strip():
            raise MalformedRequest("the body is empty")
        return incoming.body
    body = parse_body(incoming.body, charset_of(incoming.headers.get("content-type", "")))
    try:
        # What can't be written again can't be hashed either: it is nested deeper than anything real.
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise MalformedRequest("the body is nested too deeply") from None
    return body


def _check_type(headers: Mapping[str, str], *, xml: bool) -> None:
    """Raise UnsupportedType unless the body says that it is what this envelope reads."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind in _XML if xml else kind == "application/json" or kind.endswith("+json")):
        wanted = "text/xml" if xml else "application/json"
        said = f"the Content-Type is {kind[:80]!r}" if kind else "there is no Content-Type"
        raise UnsupportedType(f"{said}, and this sender's envelope is {wanted}", hint=f"Let the sender send {wanted}.")
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise UnsupportedType("the body is compressed, which is not read here; send it as it is")
